import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultArtifactClient } from '@actions/artifact';
import { createArtifacts } from '../../../src/github/artifacts.ts';
import { memoryLog } from '../../support/memory-log.ts';

/**
 * A job as a process of its own, as on a runner: `job.ts upload NAME FILE` or `job.ts download FOLDER` (everything).
 * The last line of its output is JSON.
 */
const temporary = await mkdtemp(join(tmpdir(), 'nix-images-job-'));
const [verb = '', first = '', second = ''] = process.argv.slice(2);

const artifacts = createArtifacts({
  loadClient: async () => new DefaultArtifactClient(),
  env: (name) => process.env[name] || undefined,
  log: memoryLog(),
  signal: new AbortController().signal,
  tempDir: () => mkdtemp(join(temporary, 'part-')),
});

const download = async (): Promise<object> =>
  Promise.all((await artifacts.list()).map((artifact) => artifacts.download(artifact, first)));

const result = verb === 'upload' ? await artifacts.upload(first, second, { retentionDays: 1 }) : await download();
await rm(temporary, { recursive: true });
process.stdout.write(`\n${JSON.stringify(result)}\n`);
