import { CloudError } from './cloud-error.ts';

/** A bucket of requests: how many it holds, and how many come back each second. */
interface Bucket {
  readonly holds: number;
  readonly refill: number;
}

/** By the second (EBS: "Amazon EBS quotas"; SSM: its quotas of throughput, and github-aws-runners 2944). */
const PER_SECOND: Readonly<Record<string, number>> = {
  'ebs:PutSnapshotBlock': 1000,
  'ebs:StartSnapshot': 10,
  'ebs:CompleteSnapshot': 10,
  'ebs:ListSnapshotBlocks': 50,
  'ebs:ListChangedBlocks': 50,
  'ebs:GetSnapshotBlock': 1000,
  'ssm:PutParameter': 3,
  'ssm:GetParameter': 40,
};

/** EC2's buckets ("Request throttling for the Amazon EC2 API"): reads, CopyImage, and everything else. */
function bucketOf(verb: string): Bucket | undefined {
  const limit = PER_SECOND[verb];
  if (limit !== undefined) return { holds: limit, refill: limit };
  if (!verb.startsWith('ec2:')) return undefined;
  if (verb === 'ec2:CopyImage') return { holds: 100, refill: 1 };
  return /^ec2:(?:Describe|Get)/.test(verb) ? { holds: 100, refill: 20 } : { holds: 50, refill: 5 };
}

function refusalOf(verb: string, isOfResource: boolean): CloudError {
  if (verb.startsWith('ec2:'))
    return new CloudError('RequestLimitExceeded', 'Request limit exceeded.', { status: 503 });
  if (verb.startsWith('ssm:')) return new CloudError('ThrottlingException', 'Rate exceeded');
  const reason = isOfResource ? 'RESOURCE_LEVEL_THROTTLE' : 'ACCOUNT_THROTTLED';
  return new CloudError('RequestThrottledException', 'Rate exceeded', { reason });
}

/** Counts requests against the quotas of AWS's services, for each account in each region. */
export class RateLimits {
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** Takes one request out of its bucket; throws CloudError where that is empty. Blocks are counted by snapshot. */
  take(verb: string, who: string, now: number, resource?: string): void {
    const bucket = bucketOf(verb);
    if (bucket === undefined) return;
    const isOfResource = verb === 'ebs:PutSnapshotBlock' && resource !== undefined;
    const key = `${verb} ${who} ${isOfResource ? resource : ''}`;
    const { left, at } = this.#buckets.get(key) ?? { left: bucket.holds, at: now };
    const filled = Math.min(bucket.holds, left + ((now - at) / 1000) * bucket.refill);
    this.#buckets.set(key, { left: filled >= 1 ? filled - 1 : filled, at: now });
    if (filled < 1) throw refusalOf(verb, isOfResource);
  }
}
