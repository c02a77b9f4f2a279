import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Host } from '../host/host.ts';
import { systemClock } from '../registry/clock.ts';
import type { Destination } from '../registry/destination.ts';
import { createKeychain } from '../registry/keychain.ts';
import { type ImageSource, openRepository, openSource, type RepositoryDeps } from '../registry/open.ts';
import type { Reference } from '../registry/reference.ts';
import type { Repository } from '../registry/repository.ts';
import { credentialFiles } from './credential-files.ts';

/** Where images are read from and written to, with all that the host lends: network, credentials, log, cancellation. */
export interface Places {
  /** `imageName` names the image in a docker-archive whose destination does not. */
  openForWriting(destination: Destination, imageName?: Reference): Repository;
  openForReading(destination: Destination): Promise<ImageSource>;
}

/** `plainHttp` are the hosts that are spoken to without TLS, beside the loopback ones. */
export async function placesOf(host: Host, plainHttp: readonly string[]): Promise<Places> {
  const { exec, fetch, log, signal } = host;
  const keychain = createKeychain({
    configFiles: credentialFiles(host),
    exec,
    readFile: (path) => readFile(path, 'utf8'),
    log,
    signal,
  });
  const temporaryFolder = await host.tempDir();
  const deps: RepositoryDeps = {
    fetch,
    keychain,
    log,
    clock: systemClock,
    plainHosts: plainHttp,
    temporaryFolder,
    signal,
  };
  return {
    openForWriting: (destination, imageName) => openRepository(destination, deps, imageName),
    openForReading: (destination) => openSource(destination, deps),
  };
}

/** The destination with its path made absolute: relative ones are meant from `cwd`. */
export const inFolder = (destination: Destination, cwd: string): Destination =>
  destination.kind === 'registry' ? destination : { ...destination, path: resolve(cwd, destination.path) };
