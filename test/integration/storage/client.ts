import { onTestFinished } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import type { RegistryRepository } from '../../../src/storage/registry/registry-repository.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { testDeps } from './kit.ts';

export const UPLOAD = /\/blobs\/uploads\//;

/** An emulated registry for one test, and repositories in it. */
export const start = async (options: EmulatorOptions = {}, changes: Parameters<typeof testDeps>[0] = {}) => {
  const emulator = await startEmulator(options);
  onTestFinished(() => emulator.stop());
  const deps = testDeps(changes);
  const open = (name: string = 'org/app', mode: 'read' | 'write' = 'write'): RegistryRepository =>
    openRegistry(parseReference(`${emulator.host}/${name}`), mode, deps);
  return { emulator, deps, open };
};

export const methods = (emulator: RegistryEmulator): string => emulator.requests.map(({ method }) => method).join(' ');
