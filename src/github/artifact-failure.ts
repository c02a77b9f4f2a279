import { UserError } from '../core/error.ts';

/** What was tried, as the message says it: `list the artifacts`, `upload the artifact app.tar`. */
type Doing = string;

interface Failure {
  readonly name: string;
  readonly message: string;
  /** Status of an answer of the blob store; the client hides that of the service in its message. */
  readonly status: number | undefined;
}

interface Rule {
  readonly matches: (failure: Failure) => boolean;
  readonly reason: (failure: Failure) => string;
  readonly hint: string;
}

const AGAIN = 'Such failures pass: re-run the failed jobs. See https://www.githubstatus.com if it stays.';

const TOKEN =
  "The job's runtime token is not valid (any more): it ends with the job. Do not set ACTIONS_RUNTIME_TOKEN yourself.";

const saysGone = ({ name, message }: Failure): boolean => name === 'ArtifactNotFoundError' || message.includes('(404)');

/** The rest of what the client said, without the advice it adds on further lines. */
const firstLine = (message: string): string => message.split('\n', 1)[0] ?? '';

const lastDetail = ({ message }: Failure): string => firstLine(message).replace(/^.*?(?:error|attempts): /, '');

/**
 * The first that matches is it. The client (6.2.1) throws plain errors: what went wrong is only in the message, in the
 * words of its shared/artifact-twirp-client and shared/errors.
 */
const RULES: readonly Rule[] = [
  {
    matches: ({ message }) => /storage quota has been hit|insufficient usage/.test(message),
    reason: () => "the account's storage for artifacts is full",
    hint:
      'Delete old artifacts or shorten their retention; GitHub counts again every 6 to 12 hours. Or build with `to`: ' +
      'the layers then go to the registry, and the artifact is a few kilobytes.',
  },
  {
    matches: ({ message }) => message.includes('(409)'),
    reason: () => 'the run has an artifact of this name already',
    hint:
      'Each image and system may be built by one job of the run only: look for a double in the matrix. If there is ' +
      'none, the name is held by a failed upload of this job: re-run the job; a new attempt has its own name.',
  },
  {
    matches: ({ status }) => status === 403,
    reason: () => 'the storage refused the URL, which has expired',
    hint: 'The transfer took too long, or the clock of the runner is wrong. Re-run the failed jobs.',
  },
  {
    matches: ({ status }) => status !== undefined,
    reason: ({ status, message }) => `the storage answered ${status}: ${firstLine(message)}`,
    hint: AGAIN,
  },
  {
    matches: ({ message }) => /\(401\)|Failed to get backend IDs|Invalid token specified/.test(message),
    reason: (failure) => `the service did not accept the token: ${lastDetail(failure)}`,
    hint: TOKEN,
  },
  {
    matches: ({ message }) => message.includes('(403)'),
    reason: (failure) => `the service does not permit it: ${lastDetail(failure)}`,
    hint:
      'The token is not for this run and job, or artifacts are disabled for the repository or its organisation. ' +
      'Artifacts need no entry under `permissions`.',
  },
  {
    matches: ({ message }) => connectionCode(message) !== undefined,
    reason: ({ message }) => `the connection failed (${connectionCode(message)})`,
    hint: 'Such failures pass: re-run the failed jobs. A self-hosted runner must reach GitHub and its blob storage.',
  },
  {
    matches: ({ message }) => /download failed after \d+ retries/.test(message),
    reason: () => 'the storage did not send it, in two rounds of five tries',
    hint:
      'Re-run the failed jobs. With the variable ACTIONS_STEP_DEBUG set to true, the log has the reason for each try ' +
      '(an expired URL, an error of the storage, a broken connection).',
  },
  {
    matches: ({ message }) => /after \d+ attempts/.test(message),
    reason: (failure) => `the service did not answer properly: ${lastDetail(failure)}`,
    hint: AGAIN,
  },
  {
    // actions/download-artifact 486: the list has what an earlier attempt left, and a re-run of failed jobs is not given it.
    matches: ({ message }) => message.includes('workflow run not found'),
    reason: () => 'GitHub lists it and does not hand it out to this attempt of the run',
    hint: 'It is of an earlier attempt. Run all jobs again, not only the failed ones.',
  },
  {
    matches: saysGone,
    reason: () => 'it is gone',
    hint: 'It has expired or was deleted. Run all jobs again, not only the failed ones.',
  },
];

/** The code of a connection that failed, such as ECONNRESET; undefined for other failures. */
const connectionCode = (message: string): string | undefined => /Unable to make request: (\w+)/.exec(message)?.[1];

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: '', message: String(error), status: undefined };
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined;
  return { name: error.name, message: error.message, status };
}

/** Whether a call never got its answer; the client does not try such calls again by itself. */
export const isLostConnection = (error: unknown): boolean => connectionCode(failureOf(error).message) !== undefined;

/** Whether the transfer to the storage failed, when the artifact's name was taken already. */
export function isBrokenTransfer(error: unknown): boolean {
  const { message, status } = failureOf(error);
  return status !== undefined || /^(?:Unable to make request: |Upload progress stalled)/.test(message);
}

/** Whether there is no such artifact (any more). */
export const isGone = (error: unknown): boolean => saysGone(failureOf(error));

/** Whether the name is taken. */
export const isNameTaken = (error: unknown): boolean => failureOf(error).message.includes('(409)');

/** What the client threw, as UserError `handover`; a UserError stays what it is. */
export function artifactFailure(error: unknown, doing: Doing): UserError {
  if (error instanceof UserError) return error;
  const failure = failureOf(error);
  const rule = RULES.find(({ matches }) => matches(failure));
  const reason = rule ? rule.reason(failure) : firstLine(failure.message);
  return new UserError('handover', `cannot ${doing}: ${reason}`, { hint: rule?.hint ?? AGAIN, cause: error });
}
