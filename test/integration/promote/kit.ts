import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { ORIGIN_ANNOTATION } from '../../../src/oci/origin.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { type CliOptions, runCli } from '../../support/cli.ts';
import { manifestOf, putImage } from '../storage/kit.ts';

export const SOURCE = 'https://github.com/org/app';

/** Annotations of an image that a run of the repository made. */
export const madeBy = (run: number, created: string = '2026-01-02T03:04:05Z'): Record<string, string> => ({
  [ORIGIN_ANNOTATION.source]: SOURCE,
  [ORIGIN_ANNOTATION.run]: String(run),
  [ORIGIN_ANNOTATION.revision]: run.toString(16).padStart(40, '0'),
  [ORIGIN_ANNOTATION.created]: created,
});

/** Puts an index of the two platforms as a run publishes it, under a tag where one is named. */
export const putRelease = async (
  repository: Repository,
  run: number,
  tag?: string,
  architectures: readonly string[] = ['amd64', 'arm64'],
): Promise<StoredManifest> => {
  const manifests = [];
  for (const architecture of architectures) {
    const { manifest } = await putImage(repository, architecture);
    const { digest, mediaType, bytes } = manifest;
    manifests.push({ digest, mediaType, size: bytes.length, platform: { architecture, os: 'linux' } });
  }
  const index = manifestOf({ manifests, annotations: madeBy(run) }, MEDIA_TYPE.index);
  await repository.putManifest(index);
  if (tag !== undefined) await repository.tag(tag, index);
  return index;
};

/** Variables of a workflow run. */
export const inRun = (run: number): NonNullable<CliOptions['env']> => ({
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'org/app',
  GITHUB_RUN_ID: String(run),
  GITHUB_ACTOR: 'octocat',
});

/** Runs a command that succeeds; gives what it says as data. */
export const done = async (...args: string[]) => {
  const { exitCode, stdout, stderr } = await runCli([...args, '--json']);
  if (exitCode !== 0) throw new Error(`nix-images ${args.join(' ')} ended with ${exitCode}:\n${stderr}`);
  return { ...(JSON.parse(stdout) as { digest: string; channels: { outcome: string }[] }), stderr };
};

/** Runs a command that fails; gives what it says. */
export const refused = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runCli(args);
  if (exitCode === 0) throw new Error(`nix-images ${args.join(' ')} succeeded:\n${stdout}`);
  return stderr;
};
