import { UserError } from '../core/error.ts';

/** Reads an environment variable; undefined when it is not set or empty. */
export type Env = (name: string) => string | undefined;

/** Hosts whose results service knows artifacts of this kind; GitHub Enterprise Server does not. */
const HOSTED = /^(?:github\.com|.+\.ghe\.com|.+\.localhost)$/i;

/**
 * The token by which a job speaks to the results service. Throws UserError `handover` where there is no such service:
 * not in a job, in a step that the runner gives no token, on GitHub Enterprise Server.
 */
export function runtimeToken(env: Env): string {
  if (env('GITHUB_ACTIONS') !== 'true') {
    throw new UserError('handover', 'artifacts exist only in GitHub Actions', {
      hint: 'On other machines copy the folder of the handover, and name it with --from.',
    });
  }
  const missing = ['ACTIONS_RUNTIME_TOKEN', 'ACTIONS_RESULTS_URL'].filter((name) => env(name) === undefined);
  const token = env('ACTIONS_RUNTIME_TOKEN');
  if (token === undefined || missing.length > 0) {
    throw new UserError('handover', `this step cannot reach the run's artifacts: ${missing.join(' and ')} not set`, {
      hint:
        'The runner gives them to actions (`uses:`) only, not to scripts (`run:`). Use the action, or hand the folder ' +
        'over with actions/upload-artifact.',
    });
  }
  const server = env('GITHUB_SERVER_URL') ?? 'https://github.com';
  if (HOSTED.test(hostOf(server))) return token;
  throw new UserError('handover', `${server} has no artifacts of the kind that is used here`, {
    hint: 'GitHub Enterprise Server does not know them. Hand over through the registry, or carry the folder yourself.',
  });
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : url);
