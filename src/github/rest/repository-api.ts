import { UserError } from '../../core/error.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { pushRefusal } from './push-refusal.ts';
import { restFailure } from './rest-failure.ts';

/** A repository on GitHub, as its interface is asked for it. */
export interface RepositoryApi {
  readonly octokit: Awaited<ReturnType<typeof openOctokit>>;
  readonly at: { readonly owner: string; readonly repo: string };
  /** `OWNER/NAME`. */
  readonly repository: string;
  readonly signal: AbortSignal;
}

/** Opens it; nothing is asked yet. */
export async function openRepositoryApi(deps: GitHubApi & { readonly repository: string }): Promise<RepositoryApi> {
  const [owner = '', repo = ''] = deps.repository.split('/');
  const { repository, signal } = deps;
  return { octokit: await openOctokit(deps), at: { owner, repo }, repository, signal };
}

/** What GitHub said to a request of either interface: GraphQL answers 200 and lists its errors. */
export function githubAnswer(error: unknown, signal: AbortSignal): { status: number; why: string; isDenied: boolean } {
  const failure = restFailure(error, signal);
  const errors = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  const said = errors.flatMap((one: unknown) =>
    typeof one === 'object' && one !== null && 'message' in one ? [String(one.message)] : [],
  );
  if (said.length === 0 || failure.status !== 0) return failure;
  const why = said.join('; ');
  return { status: 200, why, isDenied: /Resource not accessible by/.test(why) };
}

/** How an error speaks of a request. */
interface Asked {
  /** As in "cannot create the branch x". */
  readonly what: string;
  /** The line that lets a job do it, as `contents: write`. */
  readonly permission: string;
  /** Whether a branch of an update was to be made or moved: rules of the repository may stand against that. */
  readonly isPush?: boolean;
  readonly signal: AbortSignal;
}

/** Why GitHub refused, as UserError `credentials` with the permission to give, or `github`. Throws UserError `cancelled`. */
export function githubError(error: unknown, { what, permission, isPush = false, signal }: Asked): UserError {
  const { why, isDenied } = githubAnswer(error, signal);
  // The rule that was broken is on a line below the first.
  const said = error instanceof Error ? error.message : '';
  const refusal = isPush ? pushRefusal(said) : undefined;
  if (refusal) {
    const { code, hint } = refusal;
    return new UserError(code, `${what}: ${plainWords(said)}`, { hint, docs: 'rebuild.md#whose-token', cause: error });
  }
  const hint = isDenied
    ? `The job needs \`permissions: ${permission}\`; a GitHub App or a token of a person needs the same right.`
    : 'Run it again; if it fails once more, look at https://www.githubstatus.com.';
  return new UserError(isDenied ? 'credentials' : 'github', `${what}: ${why}`, { hint, cause: error });
}

/** Characters of what GitHub says that are shown. */
const SAID_LENGTH = 300;

/** In one line, without the address of a page that Octokit adds, nor what it says before the words of a GraphQL error. */
const plainWords = (said: string): string =>
  (said.split(' - http', 1)[0] ?? '')
    .replace(/^Request failed due to following response errors:\s*-\s*/, '')
    .split(/\s+/)
    .join(' ')
    .trim()
    .replace(/\.$/, '')
    .slice(0, SAID_LENGTH);
