import { start } from '../../../src/host/start.ts';
import { testCommands } from './commands.ts';

// The real program with other commands: what src/main.ts is to src/commands.
await start(testCommands, new URL(import.meta.url));
