import { expect, test } from 'vitest';
import { isLastingNetworkError } from '../../../src/registry/network-error.ts';

const failed = (cause: Error): Error => new TypeError('fetch failed', { cause });
const coded = (code: string): Error => Object.assign(new Error(code), { code });

test.each<[string, Error, boolean]>([
  ['a port that fetch never speaks to', failed(new Error('bad port')), true],
  ['an unknown host', failed(coded('ENOTFOUND')), true],
  ['a certificate nobody trusts', failed(coded('SELF_SIGNED_CERT_IN_CHAIN')), true],
  ['a connection that broke', failed(coded('ECONNRESET')), false],
  ['a registry that is about to start', failed(coded('ECONNREFUSED')), false],
])('%s: lasting is %s', (_name, error, lasting) => {
  expect(isLastingNetworkError(error)).toBe(lasting);
});

test('fetch still says so', async () => {
  const error = await fetch('http://127.0.0.1:1/').catch((reason: unknown) => reason);
  expect(isLastingNetworkError(error)).toBe(true);
});
