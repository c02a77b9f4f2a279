import { expect, test } from 'vitest';
import { isLastingNetworkError, networkFailure } from '../../../src/core/network-error.ts';

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

test.each<[string, unknown, RegExp, RegExp]>([
  ['a refused port', failed(new Error('bad port')), /HTTP clients refuse this port/, /listen on another port/],
  ['no cause', new TypeError('fetch failed'), /the connection failed without a stated reason/, /Check the network/],
])('what happened is said in words: %s', (_name, error, message, hint) => {
  const failure = networkFailure(error, 'GET http://r/v2/', 'r');
  expect(failure.message).toMatch(message);
  expect(failure.hint).toMatch(hint);
});

test('fetch still says so', async () => {
  const error = await fetch('http://127.0.0.1:1/').catch((reason: unknown) => reason);
  expect(isLastingNetworkError(error)).toBe(true);
});
