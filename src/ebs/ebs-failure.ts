import { z } from 'zod';
import { awsFailure } from '../aws/failure.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';

/** The actions that are used, as IAM names them behind `ebs:`. */
export type EbsAction =
  | 'StartSnapshot'
  | 'PutSnapshotBlock'
  | 'CompleteSnapshot'
  | 'ListSnapshotBlocks'
  | 'GetSnapshotBlock';

/** What a request was for. */
export interface EbsStep {
  readonly action: EbsAction;
  readonly region: string;
  /** As in `cannot send block 3 of snap-1`. */
  readonly what: string;
}

/** Why a request failed, as plain data: it passes between threads. */
export interface EbsFailure extends EbsStep {
  /** The service's own name, such as ValidationException; `Unreached` and `TimedOut` where nothing answered (`Unreachable` where nothing will), `Unexpected` for an answer of another form. */
  readonly code: string;
  readonly message: string;
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  /** The time at the service in milliseconds since 1970. */
  readonly serverTime?: number | undefined;
  /** What to do, where that is known here. */
  readonly hint?: string | undefined;
}

/** A request that failed for good, or that another try may help: see `verdictOf`. */
export class EbsError extends Error {
  override readonly name = 'EbsError';
  readonly failure: EbsFailure;

  constructor(failure: EbsFailure, cause?: unknown) {
    super(`${failure.what}: ${failure.code}: ${failure.message}`, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

const bodySchema = z.looseObject({
  Message: z.string().optional(),
  message: z.string().optional(),
  Reason: z.string().optional(),
  __type: z.string().optional(),
});

/** Whether a snapshot takes no blocks (any more): it is complete, or has failed. */
export const isNotPending = (error: unknown): error is EbsError =>
  error instanceof EbsError &&
  error.failure.code === 'ValidationException' &&
  error.failure.reason === 'INVALID_SNAPSHOT_ID';

/** Characters of an answer that an error shows. */
const SHOWN = 300;

/** Reads an answer that is not a success (AWS's REST JSON protocol: the name is in a header, or in the body). */
export function readFailure(step: EbsStep, response: Pick<Response, 'status' | 'headers'>, body: string): EbsFailure {
  const { status, headers } = response;
  const said = tryDecodeJson(body, bodySchema);
  const name = headers.get('x-amzn-errortype') ?? said?.__type;
  const date = Date.parse(headers.get('date') ?? '');
  return {
    ...step,
    // The header may go on with `:` and an address, the body's name begin with a namespace and `#`.
    code: name?.replace(/:.*$/s, '').replace(/^.*#/s, '') ?? 'Unexpected',
    message: (said?.Message ?? said?.message ?? `it answered ${status}`).slice(0, SHOWN),
    status,
    reason: said?.Reason,
    requestId: headers.get('x-amzn-requestid') ?? undefined,
    ...(Number.isNaN(date) ? {} : { serverTime: date }),
  };
}

/** The failure as a person sees it: what, where, code, reason and request, and what to do. */
export function ebsUserError(error: EbsError, note = ''): UserError {
  const { action, what, region, code, message, reason, requestId } = error.failure;
  const where = `${what} in ${region}`;
  const more = [reason, requestId && `request ${requestId}`].filter(Boolean).join(', ');
  const said = Object.assign(new Error(`${message}${more && ` (${more})`}${note}`), { name: code });
  const failure = awsFailure(said, `ebs:${action}`, where);
  if (failure instanceof UserError && failure.hint === undefined) {
    return new UserError(failure.code, failure.message, { ...hintOf(error.failure), docs: failure.docs, cause: error });
  }
  return failure instanceof UserError ? failure : new UserError('registry', said.message, { cause: error });
}

function hintOf({ code, hint }: EbsFailure): { readonly hint?: string } {
  if (hint !== undefined) return { hint };
  if (/Throttl|ConcurrentLimit/.test(code)) {
    return {
      hint: 'The account sends more requests than its quota allows. Run again later, or ask AWS for a higher quota.',
    };
  }
  if (code === 'ServiceQuotaExceededException') {
    return { hint: 'Delete snapshots that are not needed, or ask AWS for a higher quota.' };
  }
  if (code === 'TimedOut') return { hint: 'Check the network and proxies, and run again: what is sent stays.' };
  return {};
}
