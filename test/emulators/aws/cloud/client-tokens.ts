import { createHash } from 'node:crypto';

/** A day of the cloud's clock; no document says how long a token is known, so that nothing may rely on it for longer. */
const LIFETIME = 24 * 60 * 60 * 1000;

/** Requests that were made once, by their client tokens. */
export class ClientTokens {
  readonly #known = new Map<string, { readonly hash: string; readonly answer: object; readonly until: number }>();

  /**
   * The first answer to a request that is asked again. Undefined for a new token; `onChange` is called, to throw, where the token is known
   * with other contents.
   */
  find(key: string, input: object, now: number, onChange: () => never): object | undefined {
    const known = this.#known.get(key);
    if (known === undefined || known.until <= now) return undefined;
    return known.hash === hashOf(input) ? known.answer : onChange();
  }

  keep(key: string, input: object, now: number, answer: object): void {
    this.#known.set(key, { hash: hashOf(input), answer, until: now + LIFETIME });
  }
}

const hashOf = (input: object): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(input)))
    .digest('hex');

/** The order of members says nothing. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sorted(one)]));
}
