import type { Log } from '../core/log.ts';
import type { Clock, RetryPolicy } from '../core/retry.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { openArchive } from './archive/archive-source.ts';
import { createDockerArchive } from './archive/docker-archive.ts';
import { readDockerArchive } from './archive/docker-archive-reader.ts';
import { createOciArchive, readOciArchive } from './archive/oci-archive.ts';
import { type Destination, formatDestination } from './destination.ts';
import { openLayoutRepository } from './layout/layout.ts';
import type { Keychain } from './registry/auth/credential.ts';
import type { Hosts } from './registry/hosts.ts';
import { openRegistryRepository, type RegistryRepository } from './registry/registry-repository.ts';
import type { Fetch } from './registry/transport.ts';
import type { Repository } from './repository.ts';

/** What repositories need from the world. */
export interface RepositoryDeps {
  readonly fetch: Fetch;
  readonly keychain: Keychain;
  readonly log: Log;
  /** Shared by all of the process. */
  readonly hosts: Hosts;
  readonly clock: Clock;
  /** Hosts, with or without port, that are spoken to in plain http; loopback always is. */
  readonly plainHosts: readonly string[];
  /** Where a compressed archive is unpacked for reading. */
  readonly temporaryFolder: string;
  readonly signal?: AbortSignal | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Milliseconds that a registry may take to answer. */
  readonly timeout?: number | undefined;
}

const openRegistry = (reference: Reference, mode: 'read' | 'write', deps: RepositoryDeps): RegistryRepository =>
  openRegistryRepository({ ...deps, reference, mode });

/**
 * Opens a place to write to. Layouts are added to; archives are made anew and appear at `close`.
 * `imageName` names the image in a docker-archive whose destination does not.
 */
export const openRepository = (destination: Destination, deps: RepositoryDeps, imageName?: Reference): Repository => {
  switch (destination.kind) {
    case 'registry':
      return openRegistry(destination.reference, 'write', deps);
    case 'oci':
      return openLayoutRepository(destination.path, 'write', deps);
    case 'oci-archive':
      return createOciArchive(destination.path);
    case 'docker-archive':
      return createDockerArchive(destination.path, destination.reference ?? imageName);
  }
};

/** An image to read: where it is, and the tag or digest it has there. */
export interface ImageSource {
  readonly repository: Repository;
  readonly reference: string;
}

/**
 * Opens a place to read from and settles which image is meant: the digest or tag that was written, `latest` in a
 * registry, the only image of a layout or archive. Throws UserError `file` or `reference`.
 */
export const openSource = async (destination: Destination, deps: RepositoryDeps): Promise<ImageSource> => {
  if (destination.kind === 'registry') {
    const { reference } = destination;
    return {
      repository: openRegistry(reference, 'read', deps),
      reference: reference.digest ?? reference.tag ?? 'latest',
    };
  }
  if (destination.kind === 'oci') {
    const repository = openLayoutRepository(destination.path, 'read');
    return { repository, reference: destination.tag ?? (await repository.soleImage()) };
  }
  deps.log.debug(`reading ${formatDestination(destination)}`);
  const archive = await openArchive(destination.path, deps.temporaryFolder, deps.signal);
  try {
    const repository = await (destination.kind === 'oci-archive'
      ? readOciArchive(archive)
      : readDockerArchive(archive));
    const named =
      destination.kind === 'docker-archive'
        ? destination.reference && formatReference(destination.reference)
        : destination.tag;
    return { repository, reference: named ?? (await repository.soleImage()) };
  } catch (error) {
    await archive.close();
    throw error;
  }
};
