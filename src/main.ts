#!/usr/bin/env node
import { commands } from './commands/index.ts';
import { start } from './host/start.ts';

await start(commands);
