import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { walkPath } from '../definition/walk-path.ts';
import { TYPE } from '../tar/header.ts';
import { tarEntries } from '../tar/reader.ts';
import { callRuntime, type Runtime } from './runtime.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Found extends Owner {
  /** Where it leads, if it is a link. */
  readonly link: string | undefined;
}

/**
 * Who owns what in a container, links followed. `podman cp` hands files over as the container's user's own, so the
 * whole file system is exported once and its headers are read; through a file in `tempDir`, for podman opens its
 * standard output by name, which a socket has not. Throws UserError `test` when it cannot be exported.
 */
export async function readOwners(
  runtime: Runtime,
  container: string,
  tempDir: string,
  signal: AbortSignal,
): Promise<(path: string) => Owner | undefined> {
  const found = new Map<string, Found>();
  const file = join(tempDir, `${randomUUID()}.tar`);
  try {
    await callRuntime(runtime, ['export', `--output=${file}`, container], signal);
    for await (const { name, type, uid, gid, link } of tarEntries(createReadStream(file, { signal }), () => 0))
      found.set(name, { uid, gid, link: type === TYPE.symlink ? link : undefined });
  } finally {
    await rm(file, { force: true });
  }
  return (path) => resolve(found, path);
}

/** The entry that a path means, where any part of it may be a link. */
function resolve(found: ReadonlyMap<string, Found>, path: string): Owner | undefined {
  const at = walkPath([], path, (names) => found.get(names.join('/'))?.link);
  const end = at && found.get(at.join('/'));
  return end && { uid: end.uid, gid: end.gid };
}
