import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Job } from '../github/job.ts';
import type { Host } from '../host/host.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { MOST_INLINE_BYTES, passedOn } from '../plan/passed-on.ts';
import { type Plan, parsePlan } from '../plan/plan.ts';
import { artifactsOf } from './github.ts';

/** Begins the output `plan` of a plan that is in an artifact of the run: `artifact:NAME@sha256:…`. */
const PREFIX = 'artifact:';

/** Days that GitHub keeps the plan: as long as a run may be re-run (docs.github.com, "Re-running workflows and jobs"). */
const RETENTION_DAYS = 30;

/**
 * The output `plan`: the plan itself where it is small or this is not a workflow, else a reference to an artifact of the run
 * with all of it. Throws UserError `handover` as an upload does.
 */
export async function planOutput(plan: Plan, job: Job | undefined, host: Host): Promise<string> {
  const text = JSON.stringify(passedOn(plan));
  if (!job || Buffer.byteLength(text) <= MOST_INLINE_BYTES) return text;
  // Two jobs of a run may plan the same, and a name is taken once.
  const name = `plan-${plan.call}-${job.attempt}-${randomBytes(4).toString('hex')}.json`;
  const file = join(await host.tempDir(), name);
  await writeFile(file, JSON.stringify(plan));
  const { digest } = await artifactsOf(host).upload(name, file, { retentionDays: RETENTION_DAYS });
  host.log.info(`the plan is large, so it goes to the next jobs as the artifact ${name}`);
  return `${PREFIX}${name}@${digest}`;
}

/** Name and digest of a plan's artifact; undefined for text that is no such reference. Throws UserError `input`. */
export function parsePlanArtifact(text: string): { readonly name: string; readonly digest: Digest } | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  const at = text.lastIndexOf('@');
  const [name, digest] = [text.slice(PREFIX.length, at), text.slice(at + 1)];
  if (at > 0 && name !== '' && isDigest(digest)) return { name, digest };
  throw new UserError('input', `the plan ${JSON.stringify(text)} is not a valid reference to an artifact`, {
    hint: 'Give the output `plan` of the action plan as it is.',
  });
}

/** Reads a plan from the artifact of this run that has the name and the digest. Throws UserError `handover` and `input`. */
export async function planFromArtifact(
  { name, digest }: { readonly name: string; readonly digest: Digest },
  host: Host,
  readFile: (path: string) => Promise<string>,
): Promise<Plan> {
  const artifacts = artifactsOf(host);
  const found = (await artifacts.list()).filter((artifact) => artifact.name === name);
  const right = found.find((artifact) => artifact.digest === digest);
  if (right) return parsePlan(await readFile(await artifacts.download(right, await host.tempDir())));
  const why =
    found.length === 0 ? 'is not among the artifacts of this run' : `is not the one with the digest ${digest}`;
  throw new UserError('handover', `the plan's artifact ${name} ${why}`, {
    hint: `It is kept for ${RETENTION_DAYS} days, or as long as the repository allows. Re-run all jobs, not only the failed ones.`,
    docs: 'workflow-run.md#what-can-get-lost-between-jobs',
  });
}
