import { randomBytes } from 'node:crypto';
import type { RegistryEmulator } from '../registry/emulator.ts';

export interface StoredRepository {
  readonly settings: Record<string, unknown>;
  lifecyclePolicy?: string;
  catalogue?: Record<string, unknown>;
}

/** What an emulated account has: repositories of ECR by region, and those of ECR Public. */
export class AwsStore {
  readonly account: string;
  /** `REGION/NAME`, or `public/NAME`. */
  readonly repositories = new Map<string, StoredRepository>();
  readonly #passwords = new Map<string, number>();
  readonly #now: () => number;
  /** The registries behind ECR Public and the regions of ECR, by `public` and the regions' names. */
  readonly registries = new Map<string, RegistryEmulator>();

  constructor(account: string, now: () => number) {
    this.account = account;
    this.#now = now;
  }

  /** A new password that lives for so many milliseconds. */
  issue(lifetime: number): { readonly password: string; readonly expires: number } {
    const password = randomBytes(24).toString('base64url');
    const expires = this.#now() + lifetime;
    this.#passwords.set(password, expires);
    return { password, expires };
  }

  /** Ends a password, whatever was said of its life. */
  end(password: string): void {
    this.#passwords.set(password, 0);
  }

  /** Ends every password, whatever was said of its life. */
  endAll(): void {
    for (const password of this.#passwords.keys()) this.#passwords.set(password, 0);
  }

  /** What a login for `/v2/` is worth now. */
  passwordState = (username: string, password: string): 'good' | 'ended' | 'unknown' => {
    const expires = this.#passwords.get(password);
    if (username !== 'AWS' || expires === undefined) return 'unknown';
    return expires > this.#now() ? 'good' : 'ended';
  };
}
