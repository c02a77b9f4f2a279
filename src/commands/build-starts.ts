import { systemClock } from '../core/clock.ts';
import type { Host } from '../host/host.ts';
import { type BuildStarts, keptStart, parseStarts } from '../nix/build-starts.ts';
import { appendToJob, readOfJob } from './job-file.ts';

const FILE = 'starts';

/** Keeps when builds begin, in a job of GitHub's; elsewhere nothing. What cannot be kept is lost: the build's log says how long it took, or nobody does. */
export function keepBuildStarts(host: Pick<Host, 'env'>): ((drvPath: string) => void) | undefined {
  if (host.env('RUNNER_TEMP') === undefined) return undefined;
  return (drvPath) => appendToJob(host, FILE, keptStart(drvPath, systemClock.now()));
}

/** When the builds of this job began, as far as this project's commands ran them. Never throws. */
export const readBuildStarts = async (host: Pick<Host, 'env'>): Promise<BuildStarts> =>
  parseStarts(await readOfJob(host, FILE));
