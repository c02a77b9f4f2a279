import { hash } from 'node:crypto';
import type { ImportRecord } from '../aws/import-api.ts';
import type { ImportFaces } from '../aws/open-imports.ts';
import { isRefused, NO_SNAPSHOT } from '../aws/refusal.ts';
import { cancelled, UserError } from '../core/error.ts';
import { sleep } from '../core/retry.ts';
import { awaitCompleted } from './await-completed.ts';
import type { ImportOptions, ImportSettings } from './import-settings.ts';
import { sendParts } from './send-object.ts';
import type { SnapshotSource } from './send-snapshot.ts';

/** A snapshot that EC2 has made of an object. */
interface ImportedSnapshot {
  readonly snapshotId: string;
  readonly encrypted: boolean;
}

/** Tag of an import, by which another run finds it; the snapshot has none while it is made. */
const TAG = 'nix-images:import';

/** Tag of whatever is ours, by policies. */
const OURS = 'nix-images:image';

const ROLE = 'vmimport';

/** Milliseconds: disks of some GiB take minutes, and more than an hour was reported (cloudfoundry/bosh-aws-cpi-release 229). */
const IMPORT_TIME = 3 * 3_600_000;

/** Milliseconds for which a role that was just made may be unknown (confidential-containers/cloud-api-adaptor 3287). */
const ROLE_TIME = 60_000;

/** Milliseconds for which a snapshot may be unknown to some requests. */
const YOUNG = 150_000;

/** Milliseconds between looks at an import. */
const LEAST_WAIT = 3_000;
const MOST_WAIT = 30_000;

/** Milliseconds that cleaning up may take. */
const CLEAN_UP_TIME = 120_000;

/** By what everything of one import is called. */
const nameOf = ({ key }: Pick<ImportOptions, 'key'>): string => hash('sha256', key).slice(0, 40);

const objectOf = (name: string): string => `nix-images/${name}.raw`;

/**
 * Makes a snapshot of a disk where EBS direct cannot be used: the disk goes to S3 whole, and EC2 reads it from there (ImportSnapshot). What another run
 * has begun is gone on with. The object is removed in any case, once nothing reads it any more; an import that is given up is cancelled. Throws
 * UserError: `input` where the bucket is in another region or the role is missing, `file` where the disk has changed, `aws` with AWS's own reason.
 */
export async function importSnapshot(
  settings: ImportSettings,
  source: SnapshotSource,
  options: ImportOptions,
): Promise<ImportedSnapshot> {
  const { signal, log, region } = settings;
  const name = nameOf(options);
  const faces = await settings.open(signal);
  let task = await findUsable(faces, name);
  try {
    if (task === undefined) {
      await checkBucket(settings, faces);
      await sendObject(settings, faces, source, objectOf(name));
      task = await beginImport(settings, faces, options);
    } else log.info(`going on with ${task.id} in ${region}`);
    const snapshotId = await awaitImport(settings, faces, task.id);
    return await finish(settings, faces, snapshotId, options);
  } catch (error) {
    await cleanUp(settings, async (fresh) => {
      await discardTasks(fresh, name);
    });
    throw signal.aborted ? cancelled(error) : error;
  } finally {
    await cleanUp(settings, ({ s3 }) => removeObject(s3, objectOf(name)));
  }
}

/** Takes back whatever there is of an import: for runs that undo what another one has begun. Throws what AWS refuses. */
export async function discardImport(settings: ImportSettings, options: Pick<ImportOptions, 'key'>): Promise<void> {
  const faces = await settings.open(AbortSignal.timeout(CLEAN_UP_TIME));
  const name = nameOf(options);
  await discardTasks(faces, name);
  await removeObject(faces.s3, objectOf(name));
}

const importsOf = async ({ imports }: ImportFaces, name: string): Promise<readonly ImportRecord[]> =>
  (await imports.imports()).filter(({ tags }) => tags.get(TAG) === name);

/** An import of an earlier run: one that is under way, or whose snapshot is there. */
async function findUsable(faces: ImportFaces, name: string): Promise<ImportRecord | undefined> {
  const found = await importsOf(faces, name);
  const active = found.find(({ state }) => state === 'active');
  if (active) return active;
  const made = found.flatMap(({ state, snapshotId }) =>
    state === 'completed' && snapshotId !== undefined ? [snapshotId] : [],
  );
  if (made.length === 0) return undefined;
  const there = new Set((await faces.ec2.snapshots({ ids: made })).filter(isGood).map(({ id }) => id));
  return found.find(({ snapshotId }) => snapshotId !== undefined && there.has(snapshotId));
}

const isGood = ({ state }: { readonly state: string }): boolean => state === 'pending' || state === 'completed';

/** EC2 reads from the region that it is asked in alone, and says so after the upload. */
async function checkBucket({ bucket, region }: ImportSettings, { s3 }: ImportFaces): Promise<void> {
  const found = await s3.bucketRegion();
  if (found === region) return;
  throw new UserError('input', `the bucket ${bucket} is in ${found}, and the disk goes to ${region}`, {
    hint: `Name a bucket of ${region}.`,
  });
}

async function sendObject(
  { log, bucket }: ImportSettings,
  { s3 }: ImportFaces,
  source: SnapshotSource,
  key: string,
): Promise<void> {
  const upload = await s3.beginUpload(key);
  const progress = log.progress(`${key} in ${bucket}`, source.size);
  try {
    await s3.endUpload(upload, await sendParts(s3, upload, source, progress.update));
  } finally {
    progress.end();
  }
}

const isAboutRole = (error: unknown): boolean =>
  isRefused(error, 'InvalidParameter', 'InvalidParameterValue') && /service role/i.test((error as Error).message);

async function beginImport(
  { clock, signal, bucket, role = ROLE }: ImportSettings,
  { imports }: ImportFaces,
  options: ImportOptions,
): Promise<ImportRecord> {
  const name = nameOf(options);
  const start = clock.now();
  // Of this object alone: another one may follow where this import fails.
  const clientToken = hash('sha256', `${name} ${start}`);
  for (let wait = LEAST_WAIT; ; wait = Math.min(MOST_WAIT, wait * 2)) {
    try {
      return await imports.importSnapshot({
        ...{ clientToken, bucket, role, key: objectOf(name) },
        description: options.description,
        kmsKey: options.kmsKey,
        tags: { [TAG]: name },
      });
    } catch (error) {
      if (!isAboutRole(error)) throw error;
      if (clock.now() - start + wait > ROLE_TIME) throw roleError(error as Error, role, bucket);
      await sleep(clock, wait, signal);
    }
  }
}

const roleError = (error: Error, role: string, bucket: string): UserError =>
  new UserError('input', error.message, {
    hint: `Make the role ${role}: vmie.amazonaws.com may assume it with the external id vmimport, and it may read the bucket (s3:GetBucketLocation, s3:ListBucket on arn:aws:s3:::${bucket}, s3:GetObject on arn:aws:s3:::${bucket}/*).`,
    docs: 'aws-iam.md#through-s3',
    cause: error,
  });

/** Waits for the exact end of an import; gives the snapshot's id. */
async function awaitImport(settings: ImportSettings, { imports }: ImportFaces, id: string): Promise<string> {
  const { clock, signal, region, log, importTime = IMPORT_TIME } = settings;
  const start = clock.now();
  for (let wait = LEAST_WAIT; ; wait = Math.min(MOST_WAIT, wait * 1.5)) {
    // One that was just begun may not be known everywhere.
    const [task] = await imports.imports(id).catch((error: unknown) => {
      if (isRefused(error, 'InvalidConversionTaskId', 'InvalidConversionTaskId.Malformed')) return [];
      throw error;
    });
    const { state = 'unknown', message, progress = '', snapshotId } = task ?? {};
    if (state === 'completed' && snapshotId !== undefined) return snapshotId;
    if (state === 'deleting' || state === 'deleted' || state === 'error')
      throw new UserError('aws', `${id} in ${region} has failed: ${message ?? 'AWS does not say why'}`, {
        hint: 'Where it is about access (403), check that the role may read the bucket; else run again.',
      });
    log.debug(`${id} in ${region} is ${state}: ${message ?? ''} ${progress} %`);
    if (clock.now() - start > importTime)
      throw new UserError('aws', `${id} in ${region} is still ${state} after ${Math.round(importTime / 60_000)} min`, {
        hint: 'Run again: the disk is uploaded again.',
      });
    await sleep(clock, wait / 2 + (wait / 2) * clock.random(), signal);
  }
}

/** Waits until the snapshot can be used, and gives it its tags: one that is imported has none, and nobody would find it. */
async function finish(
  settings: ImportSettings,
  { ec2 }: ImportFaces,
  snapshotId: string,
  { tags }: ImportOptions,
): Promise<ImportedSnapshot> {
  const { region, clock, signal } = settings;
  let encrypted = false;
  const state = await awaitCompleted(snapshotId, {
    ...settings,
    snapshotState: async (id) => {
      const [snapshot] = await ec2.snapshots({ ids: [id] });
      encrypted = snapshot?.isEncrypted ?? false;
      const now = snapshot?.state;
      return now === 'pending' || now === 'completed' || now === 'error' ? now : undefined;
    },
  });
  if (state === 'error')
    throw new UserError('aws', `${snapshotId} in ${region} has failed although it was imported`, {
      hint: 'Check that the key it is encrypted with may be used, and run again.',
    });
  for (const start = clock.now(); ; ) {
    try {
      await ec2.tag(snapshotId, tags);
      return { snapshotId, encrypted };
    } catch (error) {
      // What one request sees, another may not yet.
      if (!isRefused(error, ...NO_SNAPSHOT) || clock.now() - start > YOUNG) throw error;
      await sleep(clock, LEAST_WAIT, signal);
    }
  }
}

/** Ends imports that are active, and deletes what they have made. */
async function discardTasks(faces: ImportFaces, name: string): Promise<void> {
  for (const { id, state, snapshotId } of await importsOf(faces, name)) {
    if (state === 'active') await faces.imports.cancelImport(id);
    if (state !== 'completed' || snapshotId === undefined) continue;
    const [snapshot] = await faces.ec2.snapshots({ ids: [snapshotId] });
    // Roles may delete what has the tag alone.
    if (snapshot && !snapshot.tags.has(OURS)) await faces.ec2.tag(snapshotId, { [OURS]: name });
    await faces.ec2.deleteSnapshot(snapshotId).catch((error: unknown) => {
      // One that AMIs are made of is theirs.
      if (!isRefused(error, ...NO_SNAPSHOT, 'InvalidSnapshot.InUse')) throw error;
    });
  }
}

async function removeObject(s3: ImportFaces['s3'], key: string): Promise<void> {
  // Who may not list them has to have the bucket end them itself.
  const open = await s3.openUploads(key).catch((error: unknown) => {
    if (isRefused(error, 'AccessDenied')) return [];
    throw error;
  });
  for (const upload of open) await s3.abortUpload(upload);
  await s3.remove(key);
}

/** Cleans up, whatever has stopped the run. Its failure is told, and is not the one that counts. */
async function cleanUp(settings: ImportSettings, work: (faces: ImportFaces) => Promise<void>): Promise<void> {
  const { log, bucket } = settings;
  try {
    await work(await settings.open(AbortSignal.timeout(CLEAN_UP_TIME)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.warn(`cannot remove what is left of an import by ${bucket}: ${why}. Look at s3://${bucket}/nix-images/`);
  }
}
