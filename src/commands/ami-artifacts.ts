import { basename } from 'node:path';
import type { AmiPlan } from '../ami/plan.ts';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { digestHex, digestOf } from '../oci/digest.ts';
import { artifactsOf, jobOf } from './github.ts';

/** Days that the artifacts stay, as long as the repository allows: AMIs live for months. */
const DAYS = 90;

/** Hexadecimal digits that tell the deployments of a run apart. */
const SHORT = 8;

/** What a deployment leaves in its run. */
interface KeptArtifacts {
  manifest(path: string): Promise<void>;
  journal(path: string): Promise<void>;
}

/**
 * Keeps manifest and journal as artifacts of the workflow run, when it was cancelled too. Outside a workflow it does nothing. What GitHub refuses is a
 * warning, for AMIs do not depend on it. Their names are `amis-KEY-ATTEMPT.json` and `amis-KEY-ATTEMPT.journal.jsonl`.
 */
export function keepArtifacts(plan: Pick<AmiPlan, 'wanted'>, host: Host): KeptArtifacts {
  if (host.kind === 'terminal') return { manifest: async () => {}, journal: async () => {} };
  const { disks, regions } = plan.wanted;
  const parts = [host.env('GITHUB_JOB') ?? '', ...disks.map(({ image }) => image), ...regions.required];
  const key = digestHex(digestOf(Buffer.from(parts.join('\n')))).slice(0, SHORT);
  // The run's own signal would stop it when it is wanted most.
  const artifacts = artifactsOf({ ...host, signal: new AbortController().signal });
  const keep = async (end: string, path: string): Promise<void> => {
    const attempt = (await jobOf(host))?.attempt ?? 1;
    try {
      await artifacts.upload(`amis-${key}-${attempt}${end}`, path, { retentionDays: DAYS });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      host.log.warn(`${basename(path)} is not kept as an artifact: ${error.message}`);
    }
  };
  return { manifest: (path) => keep('.json', path), journal: (path) => keep('.journal.jsonl', path) };
}
