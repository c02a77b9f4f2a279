import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import { type EventSource, readPayload } from './event.ts';

/** A git tag that names a version, with or without a `v` before it. */
const VERSION_TAG = /^refs\/tags\/v?(\d+(?:\.\d+)*(?:[-+][0-9A-Za-z.+-]+)?)$/;

/**
 * The annotations by which an image names the run that made it (docs.github.com, "Default environment variables"): the
 * repository, the commit, the version where the run is for a git tag that is one, and when it was made: `created`, or the
 * time of the commit that was pushed. What the runner does not say is left out.
 */
export async function readRunOrigin(source: EventSource, created: string | undefined): Promise<Record<string, string>> {
  const { env } = source;
  const [server, repository, commit] = [env('GITHUB_SERVER_URL'), env('GITHUB_REPOSITORY'), env('GITHUB_SHA')];
  const run = env('GITHUB_RUN_ID');
  const version = VERSION_TAG.exec(env('GITHUB_REF') ?? '')?.[1];
  const time = created ?? (await readPayload(source)).head_commit?.timestamp;
  return {
    ...(server && repository ? { [ORIGIN_ANNOTATION.source]: `${server}/${repository}` } : {}),
    ...(commit ? { [ORIGIN_ANNOTATION.revision]: commit } : {}),
    ...(run ? { [ORIGIN_ANNOTATION.run]: run } : {}),
    ...(version ? { [ORIGIN_ANNOTATION.version]: version } : {}),
    ...(time ? { [ORIGIN_ANNOTATION.created]: time } : {}),
  };
}
