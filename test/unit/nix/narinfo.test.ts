import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toNixHash, toSri } from '../../../src/nix/nar-hash.ts';
import { narinfoText, parseNarinfo } from '../../../src/nix/narinfo.ts';
import { createSigningKey } from '../../../src/nix/signing-key.ts';

const LIB = '/nix/store/r9zgkzc5zab416qddj283jlsvp18ydzr-lib';
const APP = '/nix/store/8vckzajvwz7y9cizvnlcr84nxp5a56nn-app-1.0';
const NAR_HASH = 'sha256-9CPbx+I+g28afJMSdqpzyncWktW6aBdLNMcrnyFqyCE=';
const INFO = { path: APP, narHash: NAR_HASH, narSize: 120, references: [LIB, APP] };
const NAR = { url: 'nar/x.nar.zst', compression: 'zstd', fileSize: 99 } as const;

test("a hash in Nix's own spelling, there and back", () => {
  expect(toNixHash(NAR_HASH)).toBe('sha256:08f8d8hryay76i5ifs5ssn91cxyaffm7c4lkghd6z0rywb3xn8zl');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const sri = `sha256-${Buffer.from(bytes).toString('base64')}`;
      return toSri(toNixHash(sri)) === sri;
    }),
  );
});

test('a narinfo, and what is signed of it', () => {
  const key = createSigningKey('test-1');
  const text = narinfoText({ ...INFO, deriver: `${APP}.drv` }, NAR, key);
  const [last, ...rest] = text.trimEnd().split('\n').reverse();
  expect(rest.reverse()).toEqual([
    `StorePath: ${APP}`,
    'URL: nar/x.nar.zst',
    'Compression: zstd',
    'FileSize: 99',
    'NarHash: sha256:08f8d8hryay76i5ifs5ssn91cxyaffm7c4lkghd6z0rywb3xn8zl',
    'NarSize: 120',
    'References: r9zgkzc5zab416qddj283jlsvp18ydzr-lib 8vckzajvwz7y9cizvnlcr84nxp5a56nn-app-1.0',
    'Deriver: 8vckzajvwz7y9cizvnlcr84nxp5a56nn-app-1.0.drv',
  ]);
  const [, signature = ''] = /^Sig: test-1:(.*)$/.exec(last ?? '') ?? [];
  const [name, bytes = ''] = key.publicKey.split(':');
  expect(name).toBe('test-1');
  const x = Buffer.from(bytes, 'base64').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const signed = `1;${APP};sha256:08f8d8hryay76i5ifs5ssn91cxyaffm7c4lkghd6z0rywb3xn8zl;120;${APP},${LIB}`;
  expect(verify(null, Buffer.from(signed), publicKey, Buffer.from(signature, 'base64'))).toBe(true);
});

test('reads its own, and who signed it', () => {
  const text = narinfoText(INFO, NAR, createSigningKey('test-1'));
  expect(parseNarinfo(text)).toEqual({ path: APP, signers: ['test-1'], isContentAddressed: false });
  expect(parseNarinfo(`${text}Sig: other:AAAA\r\nCA: fixed:r:sha256:x\r\n`)).toEqual({
    path: APP,
    signers: ['test-1', 'other'],
    isContentAddressed: true,
  });
});

test.each<[string, (text: string) => string]>([
  ['a page of a proxy', () => '<html><body>StorePath: log in first</body></html>'],
  ['nothing', () => ''],
  ['no hash', (text) => text.replace(/^NarHash.*\n/m, '')],
  ['two paths', (text) => `${text}StorePath: ${LIB}\n`],
  ['another store', (text) => text.replace('/nix/store/', '/gnu/store/')],
  ['a megabyte', (text) => text + 'x'.repeat(1_000_000)],
])('%s is not a narinfo', (_what, change) => {
  expect(parseNarinfo(change(narinfoText(INFO, NAR, createSigningKey('test-1'))))).toBeUndefined();
});

test('whatever a cache answers is read or refused, and nothing else', () => {
  const whole = narinfoText(INFO, NAR, createSigningKey('test-1'));
  const changed = fc
    .tuple(fc.nat(whole.length), fc.nat(40), fc.string({ unit: 'binary', maxLength: 30 }))
    .map(([at, length, by]) => whole.slice(0, at) + by + whole.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(changed, fc.string({ unit: 'binary' })), (text) => {
      const facts = parseNarinfo(text);
      if (facts !== undefined) expect(facts.path).toMatch(/^\/nix\/store\/[0-9a-z]{32}-[0-9a-zA-Z+._?=-]+$/);
    }),
    { numRuns: 3000 },
  );
});
