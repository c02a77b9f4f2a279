import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { EVERYBODY, whoHas } from '../../../src/serve/access.ts';
import type { RegistryAnswer } from '../../../src/serve/answer.ts';
import { type Request, respond, type Shelf } from '../../../src/serve/respond.ts';
import type { ServedImage, ServedPlatform } from '../../../src/serve/served-image.ts';

const LAYER = Buffer.from('0123456789');

const document = (text: string, mediaType: string): StoredManifest => {
  const bytes = Buffer.from(text);
  return { bytes, mediaType, digest: digestOf(bytes) };
};

const platform = (system: ServedPlatform['system']): ServedPlatform => ({
  system,
  key: system,
  manifest: document(`{"for":"${system}"}`, MEDIA_TYPE.manifest),
  configDigest: digestOf(Buffer.from('{}')),
  config: { hasCommand: true },
  layers: [digestOf(LAYER)],
  blobs: new Map([
    [
      digestOf(LAYER),
      {
        title: 'a layer',
        descriptor: { mediaType: MEDIA_TYPE.layer, digest: digestOf(LAYER), size: LAYER.length },
        // In two pieces, so that ranges begin and end within one.
        open: (from: number) => ({ chunks: [LAYER.subarray(from, 4), LAYER.subarray(Math.max(from, 4))] }),
      },
    ],
  ]),
  isDamaged: () => false,
  close: async () => {},
});

const image: ServedImage = {
  tags: ['v1', 'latest'],
  index: document('{"index":true}', MEDIA_TYPE.index),
  platforms: [platform('aarch64-linux'), platform('x86_64-linux')],
};
const older: ServedImage = { ...image, index: document('{"index":"before"}', MEDIA_TYPE.index) };

const shelf: Shelf = {
  names: async () => ['broken', 'team/web'],
  find: async (name) => {
    if (name === 'broken') throw new UserError('build', 'it does not build', { hint: 'Mend it.' });
    return name === 'team/web' ? image : undefined;
  },
  held: (name) => (name === 'team/web' ? [image, older] : []),
};

interface Asked extends Partial<Omit<Request, 'target'>> {
  readonly token?: string;
}

const ask = (target: string, { token, ...request }: Asked = {}): Promise<RegistryAnswer> =>
  respond(
    { method: 'GET', target, authorization: undefined, accept: undefined, range: undefined, ...request },
    { shelf, mayRead: token === undefined ? EVERYBODY : whoHas(token) },
  );

async function bodyOf({ body }: RegistryAnswer): Promise<string> {
  if (body === undefined || body instanceof Uint8Array) return Buffer.from(body ?? []).toString();
  const parts: Uint8Array[] = [];
  for await (const chunk of body.chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

const errorIn = async (answer: RegistryAnswer) => {
  const { errors } = JSON.parse(await bodyOf(answer));
  return [answer.status, errors[0].code, errors[0].message];
};

test('the version check says that this is a registry', async () => {
  for (const target of ['/v2/', '/v2']) {
    const { status, headers } = await ask(target);
    expect([status, headers['docker-distribution-api-version']]).toEqual([200, 'registry/2.0']);
  }
});

test.each([
  'v1',
  'latest',
  image.index.digest,
  encodeURIComponent(image.index.digest),
])('the index under %s, with its digest and length', async (reference) => {
  const answer = await ask(`/v2/team/web/manifests/${reference}?ns=docker.io`);
  expect(answer.status).toBe(200);
  expect(await bodyOf(answer)).toBe('{"index":true}');
  expect(answer.headers).toMatchObject({
    'content-type': MEDIA_TYPE.index,
    'content-length': '14',
    'docker-content-digest': image.index.digest,
  });
  const head = await ask(`/v2/team/web/manifests/${reference}`, { method: 'HEAD' });
  expect(head).toEqual({ status: 200, headers: answer.headers });
});

test("each platform's image, and what the name meant before, by digest", async () => {
  for (const { digest, bytes } of [...image.platforms.map(({ manifest }) => manifest), older.index]) {
    expect(await bodyOf(await ask(`/v2/team/web/manifests/${digest}`))).toBe(bytes.toString());
  }
});

test.each([
  [MEDIA_TYPE.manifest, 0],
  [`${MEDIA_TYPE.dockerManifest};q=0.5, application/json`, 0],
  [`${MEDIA_TYPE.manifest}, ${MEDIA_TYPE.index}`, undefined],
  [`${MEDIA_TYPE.manifest}, */*`, undefined],
  ['application/json', undefined],
  [undefined, undefined],
])('a client that accepts %s gets what it knows', async (accept, at) => {
  const { headers } = await ask('/v2/team/web/manifests/v1', { accept });
  const expected = at === undefined ? image.index : image.platforms[at]?.manifest;
  expect(headers['docker-content-digest']).toBe(expected?.digest);
});

const blob = `/v2/team/web/blobs/${digestOf(LAYER)}`;

test('a layer whole, by GET and HEAD', async () => {
  const answer = await ask(blob);
  expect(await bodyOf(answer)).toBe('0123456789');
  expect(answer.headers).toMatchObject({ 'content-length': '10', 'accept-ranges': 'bytes' });
  expect(answer.headers['docker-content-digest']).toBe(digestOf(LAYER));
  expect(await ask(blob, { method: 'HEAD' })).toEqual({ status: 200, headers: answer.headers });
});

test.each([
  ['bytes=0-0', '0', '0-0'],
  ['bytes=2-', '23456789', '2-9'],
  ['bytes=3-5', '345', '3-5'],
  ['bytes=8-100', '89', '8-9'],
  ['bytes=-3', '789', '7-9'],
  ['bytes=-30', '0123456789', '0-9'],
])('a part of a layer: %s', async (range, text, shown) => {
  const answer = await ask(blob, { range });
  expect([answer.status, await bodyOf(answer)]).toEqual([206, text]);
  expect(answer.headers).toMatchObject({ 'content-range': `bytes ${shown}/10`, 'content-length': String(text.length) });
});

test('ranges behind the end, and what is not one range of bytes', async () => {
  for (const range of ['bytes=10-', 'bytes=-0']) {
    const answer = await ask(blob, { range });
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10']);
  }
  for (const range of ['bytes=5-3', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-', 'bytes=a-b']) {
    expect((await ask(blob, { range })).status).toBe(200);
  }
});

const NOBODY = `sha256:${'0'.repeat(64)}`;

test.each([
  ['/v2/team/web/manifests/v9', 404, 'MANIFEST_UNKNOWN', 'team/web has no tag v9; it has v1, latest'],
  [`/v2/team/web/manifests/${NOBODY}`, 404, 'MANIFEST_UNKNOWN', `team/web has no manifest ${NOBODY}`],
  [`/v2/team/web/blobs/${NOBODY}`, 404, 'BLOB_UNKNOWN', `team/web has no blob ${NOBODY}`],
  ['/v2/team/web/blobs/sha512:0', 404, 'BLOB_UNKNOWN', '"sha512:0" is not a digest: sha256: and 64 hexadecimal digits'],
  ['/v2/other/manifests/v1', 404, 'NAME_UNKNOWN', 'no image has the name other; there is broken, team/web'],
  ['/v2/other/tags/list', 404, 'NAME_UNKNOWN', 'no image has the name other; there is broken, team/web'],
  [`/v2/other/blobs/${NOBODY}`, 404, 'NAME_UNKNOWN', 'no image has the name other; there is broken, team/web'],
  [`/v2/other/referrers/${NOBODY}`, 404, 'NAME_UNKNOWN', 'no image has the name other; there is broken, team/web'],
  ['/v2/broken/manifests/latest', 404, 'MANIFEST_UNKNOWN', 'it does not build (Mend it.)'],
  ['/v1/search', 404, 'UNKNOWN', '/v1/search is not a path of a registry'],
  ['/v2/%E0%A4%A', 404, 'UNKNOWN', '/v2/%E0%A4%A is not a path of a registry'],
])('%s is an error in the form of the specification', async (target, status, code, message) => {
  expect(await errorIn(await ask(target))).toEqual([status, code, message]);
});

test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is refused: nothing can be written', async (method) => {
  const answer = await ask('/v2/team/web/blobs/uploads/', { method });
  expect(await errorIn(answer)).toEqual([
    405,
    'UNSUPPORTED',
    'this registry is read-only: it serves images as they are defined',
  ]);
  expect(answer.headers.allow).toBe('GET, HEAD');
});

test('lists of tags and images, whole and in parts', async () => {
  expect(JSON.parse(await bodyOf(await ask('/v2/team/web/tags/list')))).toEqual({
    name: 'team/web',
    tags: ['latest', 'v1'],
  });
  const first = await ask('/v2/team/web/tags/list?n=1');
  expect(JSON.parse(await bodyOf(first)).tags).toEqual(['latest']);
  expect(first.headers.link).toBe('</v2/team/web/tags/list?n=1&last=latest>; rel="next"');
  const second = await ask('/v2/team/web/tags/list?n=1&last=latest');
  expect([JSON.parse(await bodyOf(second)).tags, second.headers.link]).toEqual([['v1'], undefined]);
  expect(JSON.parse(await bodyOf(await ask('/v2/team/web/tags/list?n=0'))).tags).toEqual([]);
  expect(JSON.parse(await bodyOf(await ask('/v2/_catalog')))).toEqual({ repositories: ['broken', 'team/web'] });
});

test('nothing refers to an image', async () => {
  const answer = await ask(`/v2/team/web/referrers/${image.index.digest}`);
  expect([answer.status, answer.headers['content-type']]).toEqual([200, MEDIA_TYPE.index]);
  expect(JSON.parse(await bodyOf(answer)).manifests).toEqual([]);
});

test('with a token, only who sends it may read: as Bearer, or as password of any user', async () => {
  const token = 'a-long-enough-token';
  const basic = (login: string): string => `Basic ${Buffer.from(login).toString('base64')}`;
  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, basic(`me:${token}`), basic(`:${token}`)]) {
    expect((await ask('/v2/', { token, authorization })).status).toBe(200);
  }
  const wrong = [
    undefined,
    '',
    token,
    `Bearer ${token}x`,
    'Bearer ',
    basic(token),
    basic(`${token}:`),
    `Digest ${token}`,
  ];
  for (const authorization of wrong) {
    const answer = await ask('/v2/', { token, authorization });
    expect([answer.status, answer.headers['www-authenticate']], authorization).toEqual([
      401,
      'Basic realm="nix-images"',
    ]);
  }
  // Also where nothing would be found, and where it would be refused anyway.
  expect((await ask('/v1', { token })).status).toBe(401);
  expect((await ask('/v2/', { token, method: 'POST' })).status).toBe(401);
});
