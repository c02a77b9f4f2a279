import { randomBytes } from 'node:crypto';

export type Partition = 'aws' | 'aws-us-gov' | 'aws-cn' | 'aws-eusc';

/** Who has a pair of keys. */
export interface Identity {
  readonly accessKey: string;
  readonly secret: string;
  /** Keys that end have one. */
  readonly token?: string;
  readonly account: string;
  readonly partition: Partition;
  readonly arn: string;
  /** The organization that the account is in. */
  readonly organization?: string;
  /** When the keys end, in milliseconds of the cloud's clock. */
  readonly expires?: number;
  /** Actions that it may not do: `ebs:PutSnapshotBlock`. */
  readonly denied: Set<string>;
}

/** Keys as the environment has them. */
export const variablesOf = ({ accessKey, secret, token }: Identity): Readonly<Record<string, string>> => ({
  AWS_ACCESS_KEY_ID: accessKey,
  AWS_SECRET_ACCESS_KEY: secret,
  ...(token === undefined ? {} : { AWS_SESSION_TOKEN: token }),
});

/** Everybody who has keys. */
export class Identities {
  readonly #byKey = new Map<string, Identity>();

  /** Keys of a user, which do not end, or of a role's session, which do. */
  open(who: Omit<Identity, 'accessKey' | 'secret' | 'token' | 'denied'>, denied: Iterable<string> = []): Identity {
    const isSession = who.expires !== undefined;
    const identity: Identity = {
      ...who,
      accessKey: `${isSession ? 'ASIA' : 'AKIA'}${randomBytes(8).toString('hex').toUpperCase()}`,
      secret: randomBytes(30).toString('base64'),
      ...(isSession ? { token: randomBytes(90).toString('base64') } : {}),
      denied: new Set(denied),
    };
    this.#byKey.set(identity.accessKey, identity);
    return identity;
  }

  byKey(accessKey: string): Identity | undefined {
    return this.#byKey.get(accessKey);
  }
}
