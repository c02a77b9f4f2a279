import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';

/** XDG Base Directory Specification: state that survives restarts but is not worth a backup. */
export const stateFolder = ({ env }: Host): string =>
  join(env('XDG_STATE_HOME') ?? join(homedir(), '.local', 'state'), 'nix-images');
