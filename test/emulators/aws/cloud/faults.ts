/** What becomes of a request instead of its answer. */
export type Harm =
  /** Refused before anything is done. */
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly message?: string;
      readonly status?: number;
      readonly reason?: string;
    }
  /** The connection ends before anything is done. */
  | { readonly kind: 'cut' }
  /** The work is done, then the connection ends without an answer. */
  | { readonly kind: 'lost' }
  /** Nothing is done and nothing answered, as long as the client waits. */
  | { readonly kind: 'silence' };

export interface Fault {
  /** `ec2:CopyImage`, or `ec2:*` for all of a service. Default: every verb. */
  readonly verb?: string;
  /** Default: every region. */
  readonly region?: string;
  /** The first call that is harmed, counted from 1 among those that fit. Default: 1. */
  readonly nth?: number;
  /** How many calls are harmed from there on. Default: 1 with `nth`, all without. */
  readonly times?: number;
  /** The share of calls that is harmed, by chance. Default: each. */
  readonly share?: number;
  /** A harm, or what gives one for each verb that is hit. */
  readonly harm: Harm | ((verb: string) => Harm);
}

/** How each service says that it is asked too often or that it has broken; all are worth another try, whatever their status is. */
const TRANSIENT: Readonly<Record<string, readonly Harm[]>> = {
  ebs: [
    {
      kind: 'error',
      code: 'RequestThrottledException',
      reason: 'ACCOUNT_THROTTLED',
      message: 'The account is throttled.',
    },
    {
      kind: 'error',
      code: 'RequestThrottledException',
      reason: 'RESOURCE_LEVEL_THROTTLE',
      message: 'The snapshot is throttled.',
    },
    {
      kind: 'error',
      code: 'RequestThrottledException',
      reason: 'DEPENDENCY_REQUEST_THROTTLED',
      message: 'A dependency is throttled.',
    },
    { kind: 'error', code: 'ThrottlingException', message: 'Rate exceeded' },
    { kind: 'error', code: 'InternalServerException', message: 'An internal error has occurred.' },
  ],
  ec2: [
    { kind: 'error', code: 'RequestLimitExceeded', status: 503, message: 'Request limit exceeded.' },
    {
      kind: 'error',
      code: 'Unavailable',
      status: 503,
      message: 'The service is unavailable. Please try again shortly.',
    },
    { kind: 'error', code: 'InternalError', status: 500, message: 'An internal error has occurred' },
  ],
  ssm: [
    { kind: 'error', code: 'ThrottlingException', message: 'Rate exceeded' },
    { kind: 'error', code: 'InternalServerError', status: 500, message: 'An error occurred on the server side.' },
  ],
  sts: [{ kind: 'error', code: 'Throttling', message: 'Rate exceeded' }],
};

/**
 * Uploads that a slow line breaks: refusals with status 400 of PutSnapshotBlock that another try passes.
 * Reported to nanovms/ops (1268); the second is in the service's model.
 */
export const SLOW_LINE: readonly Harm[] = [
  {
    kind: 'error',
    code: 'ValidationException',
    reason: 'INVALID_PARAMETER_VALUE',
    message: 'Failed to read block data',
  },
  {
    kind: 'error',
    code: 'ValidationException',
    reason: 'WRITE_REQUEST_TIMEOUT',
    message: 'The request timed out while writing.',
  },
];

/** A share of all requests is refused for now, by each code and reason of its service in turn. */
export function throttling(share: number): Fault {
  let count = 0;
  return {
    share,
    harm: (verb) => {
      const harms = TRANSIENT[verb.split(':')[0] ?? ''] ?? [];
      const harm = harms[count % harms.length];
      count += 1;
      if (harm === undefined) throw new Error(`nothing says how ${verb} is throttled`);
      return harm;
    },
  };
}

/** The faults of an emulated cloud: added in any order, the first that fits a call harms it. */
export class Faults {
  readonly #random: () => number;
  #list: { readonly fault: Fault; seen: number }[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Adds a fault; what comes back takes it away. */
  add(fault: Fault): () => void {
    const one = { fault, seen: 0 };
    this.#list.push(one);
    return () => {
      this.#list = this.#list.filter((other) => other !== one);
    };
  }

  /** What is to happen to a call; each fault that fits counts it. */
  find(verb: string, region: string): Harm | undefined {
    let found: Harm | undefined;
    for (const one of this.#list) {
      const { fault } = one;
      const { verb: of = '*', nth, times = nth === undefined ? Number.POSITIVE_INFINITY : 1 } = fault;
      const fits = of === '*' || of === verb || (of.endsWith(':*') && verb.startsWith(of.slice(0, -1)));
      if (!fits || (fault.region ?? region) !== region) continue;
      one.seen += 1;
      const first = nth ?? 1;
      const isHit =
        one.seen >= first && one.seen < first + times && (fault.share === undefined || this.#random() < fault.share);
      if (isHit) found ??= typeof fault.harm === 'function' ? fault.harm(verb) : fault.harm;
    }
    return found;
  }
}
