import { constants } from 'node:fs';
import { access, stat, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Digest } from '../oci/digest.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { artifactFailure, isBrokenTransfer, isLostConnection, isNameTaken } from './artifact-failure.ts';
import { isArtifactName } from './artifact-name.ts';
import { digestOfFile } from './file-digest.ts';
import { listArtifacts } from './list-artifacts.ts';
import { patient } from './patience.ts';
import type { ArtifactSession } from './session.ts';

export interface UploadOptions {
  /** Days until the service deletes it; at most what the repository allows. */
  readonly retentionDays: number;
  /**
   * Names to upload under when the transfer breaks off. The service knows no second transfer for a name, and the
   * client none for a block that was answered 429 or 502, for a URL that expired, or after four tries.
   */
  readonly spareNames?: readonly string[];
}

/** An artifact that was uploaded and is seen by the run's other jobs. */
export interface UploadedArtifact {
  readonly id: number;
  readonly name: string;
  /** Bytes of the file, which are the artifact's. */
  readonly size: number;
  readonly digest: Digest;
}

/**
 * Uploads one file as it is (`skipArchive`), not in a zip of level 0. So the digest that the service keeps is the
 * file's own, and what comes down is compared with it as a whole; no zip is ever unpacked and no path in one believed.
 * Nothing is framed and checksummed a second time (400 MB: 1.1 s of CPU to send instead of 2.2 s, 4.0 s instead of
 * 5.6 s to receive). Both ways stream in blocks of 8 MiB, five at once: memory is bounded (some 150 MB above what the
 * program takes; 90 MB with a zip), and so is the size by Azure's 50,000 blocks, at 390 GiB.
 * The price: the client takes the file's name for the artifact's and ignores the one it is given, hence the link.
 */
export async function uploadArtifact(
  session: ArtifactSession,
  name: string,
  file: string,
  { retentionDays, spareNames = [] }: UploadOptions,
): Promise<UploadedArtifact> {
  const size = await checkFile(name, file);
  const spare = spareNames.values();
  for (let now = name; ; ) {
    try {
      return await uploadAs(session, now, { path: file, size }, retentionDays);
    } catch (error) {
      const failure = artifactFailure(error, `upload the artifact ${now}`);
      const next = isBrokenTransfer(error) || error instanceof LostName ? spare.next().value : undefined;
      if (next === undefined) throw failure;
      session.log.warn(`${failure.message}; uploading it again, as ${next}`);
      now = next;
    }
  }
}

interface LocalFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** Uploads under one name. Throws what the client throws. */
async function uploadAs(
  session: ArtifactSession,
  name: string,
  file: LocalFile,
  retentionDays: number,
): Promise<UploadedArtifact> {
  const folder = await session.tempDir();
  const link = join(folder, name);
  await symlink(resolve(file.path), link);
  const upload = () => session.client.uploadArtifact(name, [link], folder, { retentionDays, skipArchive: true });
  let wasLost = false;
  const isWorthIt = (error: unknown): boolean => {
    const isLost = isBeforeTheName(error);
    wasLost ||= isLost;
    return isLost;
  };
  try {
    const { id, size, digest } = await patient(`upload the artifact ${name}`, session, upload, isWorthIt);
    if (id === undefined || digest === undefined) throw new Error('the client did not say what it uploaded');
    if (size === file.size) return { id, name, size, digest: digestSchema.parse(`sha256:${digest}`) };
  } catch (error) {
    const arrived = isFinal(error) ? await findUploaded(session, name, file.path) : undefined;
    if (arrived) return arrived;
    throw wasLost && isNameTaken(error) ? new LostName(messageOf(error), { cause: error }) : error;
  }
  throw new UserError('handover', `${file.path} changed while it was uploaded as the artifact ${name}`, {
    hint: 'Let nothing write to the handover after the build, and re-run the job.',
  });
}

/** The name is taken, by a call of ours whose answer was lost. */
class LostName extends Error {}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : '');

/** Later than that a second try would be refused: the name is taken when the first call has arrived. */
const isBeforeTheName = (error: unknown): boolean =>
  isLostConnection(error) && messageOf(error).startsWith('Failed to CreateArtifact');

const isFinal = (error: unknown): boolean => messageOf(error).startsWith('Failed to FinalizeArtifact');

/** The artifact that the service has after all, although the answer to the last call was lost or spoilt. */
async function findUploaded(
  session: ArtifactSession,
  name: string,
  file: string,
): Promise<UploadedArtifact | undefined> {
  const found = (await listArtifacts(session)).find((artifact) => artifact.name === name);
  if (!found?.digest || found.digest !== (await digestOfFile(file, session.signal))) return undefined;
  session.log.info(`the service has the artifact ${name} nevertheless`);
  return { id: found.id, name, size: found.size, digest: found.digest };
}

/** The file's size. The client must not meet a file that it cannot read: its streams would end the process. */
async function checkFile(name: string, file: string): Promise<number> {
  if (!isArtifactName(name)) {
    throw new UserError('handover', `${JSON.stringify(name)} is not a valid artifact name`, {
      hint: 'It may have up to 255 bytes, and none of " : < > | * ? \\ / or control characters.',
    });
  }
  try {
    const found = await stat(file);
    await access(file, constants.R_OK);
    if (found.isFile() && found.size > 0) return found.size;
  } catch (cause) {
    throw new UserError('file', `${file} cannot be read; cannot upload it as the artifact ${name}`, {
      hint: 'See whether the build left it, and who may read it.',
      cause,
    });
  }
  throw new UserError('file', `${file} is not a regular file with content; cannot upload it as the artifact ${name}`, {
    hint: 'An artifact is one file that is not empty.',
  });
}
