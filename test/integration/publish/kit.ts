import { expect } from 'vitest';
import type { RegistryEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, type Published, runCli, testImage } from '../../support/cli.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import type { ProgramResult } from '../../support/tools.ts';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

export interface PublishJob {
  readonly image: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Destinations and further words. */
  readonly to: readonly string[];
  readonly more?: readonly string[];
  /** Folder of the journal: what a machine remembers from one run to the next. */
  readonly state: string;
  readonly env?: Readonly<Record<string, string>>;
}

const words = async ({ image, settings, to, more = [] }: PublishJob): Promise<string[]> => [
  'publish',
  ...(await testImage(image, settings)),
  ...ONLY_X86,
  ...to.flatMap((destination) => ['--to', destination]),
  ...more,
];

/** Publishes; however it ends is for the test to look at. */
export const tryPublish = async (job: PublishJob): Promise<ProgramResult> =>
  runCli(await words(job), { env: { XDG_STATE_HOME: job.state, ...job.env } });

/** Publishes; fails when that fails. */
export const publish = async (job: PublishJob): Promise<Published> =>
  cliData(await words(job), { env: { XDG_STATE_HOME: job.state, ...job.env } });

/** Digests of the blobs that uploads ended with, in their order; one that was sent twice is there twice. */
export const committedBlobs = ({ requests }: RegistryEmulator): string[] =>
  requests.flatMap(({ method, path, query, status }) =>
    method === 'PUT' && path.includes('/blobs/uploads/') && status === 201
      ? [new URLSearchParams(query).get('digest') ?? '']
      : [],
  );

/** The manifests that were put under tags, as `REPOSITORY:TAG`. */
export const movedTags = ({ requests }: RegistryEmulator): string[] =>
  requests.flatMap(({ method, path }) => {
    const [, repository, reference] = /^\/v2\/(.+)\/manifests\/([^:]+)$/.exec(path) ?? [];
    return method === 'PUT' && reference !== undefined ? [`${repository}:${reference}`] : [];
  });

/** The error that a person can do something about: what, where, and what to do; no stack, no bug. */
export function expectClear({ exitCode, stderr }: ProgramResult, ...says: readonly (string | RegExp)[]): void {
  for (const part of says) expect(stderr).toMatch(part);
  expect(stderr).toMatch(/^hint: /m);
  expect(stderr).not.toMatch(/bug:|^ {4}at /m);
  expect(exitCode).toBe(1);
}
