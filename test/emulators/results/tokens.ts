import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { TwirpError } from './twirp-error.ts';

/** One job of one attempt of a workflow run. */
export interface JobRun {
  readonly run: number;
  readonly job: string;
  /** Default: 1. */
  readonly attempt?: number;
  /** What its token may do with caches, own ref first. Default: read and write those of refs/heads/main. */
  readonly scopes?: readonly CacheScope[];
}

/** A ref whose caches a token may use. */
export interface CacheScope {
  readonly ref: string;
  readonly permission: 'read' | 'read-write';
}

const DEFAULT_SCOPES: readonly CacheScope[] = [{ ref: 'refs/heads/main', permission: 'read-write' }];

/** What the token of a pull request's run has: its merge ref to itself, and the base's caches to read. */
export const pullRequestScopes = (number: number, base = 'refs/heads/main'): readonly CacheScope[] => [
  { ref: `refs/pull/${number}/merge`, permission: 'read-write' },
  { ref: base, permission: 'read' },
];

/** What a token says of its owner. */
export interface Caller extends BackendIds {
  readonly scopes: readonly CacheScope[];
}

/** The ids by which the service knows a run and a job; a re-run keeps the run's and gets new ones for its jobs. */
export interface BackendIds {
  readonly run: string;
  readonly job: string;
}

/** GitHub's runtime tokens outlive the longest job. */
const LIFETIME_SECONDS = 6 * 60 * 60;

/** As in GitHub's tokens: JSON in a text, permissions as bits (1 read, 2 write). */
const accessSchema = z.array(z.object({ Scope: z.string(), Permission: z.int() }));

const claimsSchema = z.object({ scp: z.string(), exp: z.number(), ac: z.string() });

const uuid = (seed: string): string => {
  const hex = createHash('sha256').update(seed).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
};

export const backendIds = ({ run, job, attempt = 1 }: JobRun): BackendIds => ({
  run: uuid(`run ${run}`),
  job: uuid(`job ${run} ${job} ${attempt}`),
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Gives out runtime tokens (RFC 7519, HS256) and checks them. */
export class TokenOffice {
  readonly #key = randomBytes(32);

  issue(job: JobRun, lifetimeSeconds: number = LIFETIME_SECONDS): string {
    const ids = backendIds(job);
    const now = Math.floor(Date.now() / 1000);
    const header = encode({ typ: 'JWT', alg: 'HS256' });
    const claims = encode({
      // As GitHub's tokens do, it carries scopes that are not about results too.
      scp: `Actions.GenericRead:${ids.run} Actions.Results:${ids.run}:${ids.job}`,
      iss: 'results-emulator',
      ac: JSON.stringify(
        (job.scopes ?? DEFAULT_SCOPES).map(({ ref, permission }) => ({
          Scope: ref,
          Permission: permission === 'read' ? 1 : 3,
        })),
      ),
      nbf: now,
      exp: now + lifetimeSeconds,
    });
    return `${header}.${claims}.${this.#sign(`${header}.${claims}`).toString('base64url')}`;
  }

  /** Whom an Authorization header stands for. Throws TwirpError `unauthenticated` or `permission_denied`. */
  check(authorization: string | undefined): Caller {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new TwirpError('unauthenticated', 'missing bearer token');
    const [header = '', claims = '', signature = ''] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#sign(`${header}.${claims}`);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new TwirpError('unauthenticated', 'token signature is invalid');
    }
    const { scp, exp, ac } = claimsSchema.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()));
    if (exp * 1000 <= Date.now()) throw new TwirpError('unauthenticated', 'token is expired');
    const scope = /(?:^| )Actions\.Results:([^: ]+):([^: ]+)(?: |$)/.exec(scp);
    if (!scope?.[1] || !scope[2]) throw new TwirpError('permission_denied', 'token has no Actions.Results scope');
    const scopes = accessSchema
      .parse(JSON.parse(ac))
      .map(({ Scope, Permission }) => ({ ref: Scope, permission: Permission === 3 ? 'read-write' : 'read' }) as const);
    return { run: scope[1], job: scope[2], scopes };
  }

  #sign(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}
