import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Digest } from '../oci/digest.ts';
import { artifactFailure } from './artifact-failure.ts';
import { isArtifactName } from './artifact-name.ts';
import { digestOfFile } from './file-digest.ts';
import type { ArtifactInfo } from './list-artifacts.ts';
import { abortable, patient } from './patience.ts';
import type { ArtifactSession } from './session.ts';

/**
 * Rounds of downloading. The client itself tries five times, five seconds apart, whatever went wrong, but with the
 * same URL; only a second round gets a new one.
 */
const ROUNDS = 2;

const BUILD_AGAIN = 'Re-run the job that built it: a new attempt uploads it again.';

/**
 * Downloads an artifact of one file into `folder` and returns the path of the file, which has the artifact's name.
 * Nothing is unpacked, no name from the storage is used, and the file is there only when its size and sha256 are those
 * of the service's list. Throws UserError `handover` or `cancelled`.
 */
export async function downloadArtifact(
  session: ArtifactSession,
  artifact: ArtifactInfo,
  folder: string,
): Promise<string> {
  const { name, digest } = artifact;
  if (!isArtifactName(name)) {
    throw new UserError('handover', `${JSON.stringify(name)} is not a valid artifact name`, { hint: BUILD_AGAIN });
  }
  if (digest === undefined) {
    throw new UserError('handover', `the artifact ${name} has no sha256 digest to compare it with`, {
      hint: 'It was uploaded by an old client. Let the build action of nix-images upload it.',
    });
  }
  await mkdir(folder, { recursive: true });
  for (let round = 1; ; round += 1) {
    // On the file system of its destination, so that the last step is a rename.
    const here = await mkdtemp(join(folder, '.download-'));
    try {
      const file = await receive(session, artifact, here);
      const problem = await problemOf(file, artifact, digest, session.signal);
      if (problem === undefined) {
        const path = join(folder, name);
        await rename(file, path);
        return path;
      }
      if (round === ROUNDS) throw new UserError('handover', `the artifact ${name} ${problem}`, { hint: BUILD_AGAIN });
      session.log.warn(`the artifact ${name} ${problem}; downloading it again`);
    } catch (error) {
      const failure = artifactFailure(error, `download the artifact ${name}`);
      if (round === ROUNDS || !isWorthARound(error)) throw failure;
      session.log.warn(`${failure.message}; downloading it again, from a new URL`);
    } finally {
      await rm(here, { recursive: true, force: true });
    }
  }
}

/** The client's five tries were without success; its other failures have said why, and stay. */
const isWorthARound = (error: unknown): boolean =>
  error instanceof Error && /download failed after \d+ retries/.test(error.message);

/** Lets the client put the artifact, as it is, into an empty folder, and returns the path of the one file in it. */
async function receive(session: ArtifactSession, { id, name }: ArtifactInfo, folder: string): Promise<string> {
  const options = { path: folder, skipDecompress: true } as const;
  await patient(`download the artifact ${name}`, session, () => session.client.downloadArtifact(id, options));
  const [entry, ...others] = await readdir(folder, { withFileTypes: true });
  if (entry?.isFile() && others.length === 0) return join(folder, entry.name);
  throw new UserError('handover', `the artifact ${name} is not one file`, { hint: BUILD_AGAIN });
}

async function problemOf(
  file: string,
  { name, size }: ArtifactInfo,
  digest: Digest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = (await stat(file)).size;
  if (found !== size) return `is damaged: ${found} bytes came instead of ${size}`;
  const actual = await abortable(`check the artifact ${name}`, signal, () => digestOfFile(file, signal));
  return actual === digest ? undefined : `is damaged: it has ${actual}, but was uploaded as ${digest}`;
}
