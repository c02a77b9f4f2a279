import { UserError } from '../core/error.ts';

/** What AWS said no to. */
interface Refusal {
  /** As AWS names it: `InvalidAMIID.NotFound`. */
  readonly reason: string;
  readonly requestId: string | undefined;
  readonly hint?: string | undefined;
  readonly docs?: string | undefined;
  readonly cause?: unknown;
  readonly isCredential?: boolean;
  /** Requests that were sent, where it is known. */
  readonly attempts?: number | undefined;
}

/** Something that AWS refused, with the name it gave the reason: what is done about it depends on that, never on a status. */
export class AwsRefusal extends UserError {
  readonly reason: string;
  readonly requestId: string | undefined;
  /** Whether nothing was sent before that may have been done although no answer came. */
  readonly isFirst: boolean;

  constructor(message: string, { reason, requestId, isCredential = false, attempts = 1, ...more }: Refusal) {
    super(isCredential ? 'credentials' : 'aws', message, more);
    this.reason = reason;
    this.requestId = requestId;
    this.isFirst = attempts === 1;
  }
}

/** Whether AWS refused for one of these reasons. */
export const isRefused = (error: unknown, ...reasons: readonly string[]): error is AwsRefusal =>
  error instanceof AwsRefusal && reasons.includes(error.reason);

/** What EC2 says of an AMI that is not there, or not any more (EC2 API reference, error codes). */
export const NO_IMAGE = ['InvalidAMIID.NotFound', 'InvalidAMIID.Unavailable', 'InvalidAMIID.Malformed'] as const;

/** The same of a snapshot. */
export const NO_SNAPSHOT = ['InvalidSnapshot.NotFound', 'InvalidSnapshotID.Malformed'] as const;
