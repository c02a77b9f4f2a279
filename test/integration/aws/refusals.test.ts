import { describe, expect, it } from 'vitest';
import { ecrWays } from '../../../src/commands/ecr.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { MIB } from '../../support/bytes.ts';
import { runCli } from '../../support/cli.ts';
import { start } from '../storage/client.ts';
import { blobOf, manifestOf, noise, putImage, putIndex, writeBlob } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

describe.each([
  ['private', `${PRIVATE}/team/app`, 'eu-central-1/team/app', 52_000],
  ['public', `${PUBLIC}/acme/app`, 'public/app', 10_000],
] as const)('ECR %s', (mode, reference, key, largest) => {
  it('takes layers up to a size: an image with a larger one is not sent', async () => {
    // What a manifest claims is enough, so nothing that large has to be made.
    const source = await startEmulator({ takesAnyManifest: true });
    const config = blobOf(Buffer.from('{}'), MEDIA_TYPE.config);
    const layer = { ...blobOf(noise(9, 'large'), MEDIA_TYPE.layerGzip), size: largest * MIB + 1 };
    const image = manifestOf({ config, layers: [layer] }, MEDIA_TYPE.manifest);
    const platform = { architecture: 'amd64', os: 'linux' };
    const entry = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length, platform };
    const index = manifestOf({ manifests: [entry] }, MEDIA_TYPE.index);
    for (const { bytes, mediaType } of [image, index])
      source.store.putManifest('big/app', 'v1', Buffer.from(bytes), mediaType);
    const { aws } = await startAws(mode);
    const env = { ...aws.keys, AWS_ENDPOINT_URL: aws.url };
    const words = ['copy', `${source.host}/big/app:v1`, '--to', reference, '--create-repository'];
    const { exitCode, stderr } = await runCli(words, { env });
    await source.stop();
    expect(stderr).toMatch(new RegExp(`${layer.digest} has .* and docker://${reference} takes .* a layer at most`));
    expect(stderr).toMatch(/^hint: .*maxLayers/m);
    expect(exitCode).toBe(1);
    expect(aws.calls).toEqual([]);
  });

  it.each([
    [403, 'a repository is full', 'LimitExceededException', /as many images.*lifecycle policy/],
    [405, 'what refers to an image is not taken', 'InvalidParameterException', /--no-referrers/],
  ])('answers %i alone when %s: AWS says why', async (status, _name, error, hint) => {
    const { aws, registry, open } = await startAws(mode, { refusesImages: [error, 'The words of AWS.'] });
    aws.store.repositories.set(key, { settings: {} });
    registry.inject({ kind: 'status', status, method: 'PUT', path: /manifests/, times: 99 });
    const { repository } = await open(reference);
    await expect(putImage(repository, 'amd64')).rejects.toMatchObject({
      code: 'registry',
      message: expect.stringContaining(`${error}: The words of AWS.`),
      hint: expect.stringMatching(hint),
    });
    expect(aws.violations).toEqual([]);
  });

  it('answers 403 alone without the right to PutImage: AWS names it', async () => {
    const action = `${mode === 'public' ? 'ecr-public' : 'ecr'}:PutImage`;
    const { aws, registry, open } = await startAws(mode, { denied: { [action]: action } });
    aws.store.repositories.set(key, { settings: {} });
    registry.inject({ kind: 'status', status: 403, method: 'PUT', path: /manifests/, times: 99 });
    const { repository } = await open(reference);
    await expect(putImage(repository, 'amd64')).rejects.toMatchObject({
      code: 'credentials',
      hint: expect.stringContaining(`"Action":["${action}"]`),
    });
  });

  it('takes a manifest by its own interface that only /v2/ refuses', async () => {
    const { aws, registry, open } = await startAws(mode);
    aws.store.repositories.set(key, { settings: {} });
    registry.inject({ kind: 'status', status: 403, method: 'PUT', path: /manifests/, times: 99 });
    const { repository } = await open(reference);
    const { digest } = await putIndex(repository, 'v1');
    expect((await repository.getManifest('v1'))?.digest).toBe(digest);
    expect(aws.violations).toEqual([]);
  });
});

it('a layer that turns out too large while it is made ends there, and nothing of it stays', async () => {
  const { emulator, deps } = await start();
  const ways = () => ({ ...ecrWays(() => undefined)({ host: PUBLIC, repository: 'acme/app' }), largestBlob: 12 * MIB });
  const repository = openRegistry(parseReference(`${emulator.host}/acme/app`), 'write', { ...deps, ways });
  await expect(writeBlob(repository, noise(20 * MIB, 'large'))).rejects.toMatchObject({
    code: 'registry',
    message: expect.stringMatching(/a layer that is being sent has .* takes .* a layer at most/),
  });
  expect(emulator.store.uploads.size).toBe(0);
});

describe('mounts', () => {
  const LAYER = noise(1000, 'shared');

  /** Two repositories of one account; the first holds a layer, which a manifest names or not. */
  const two = async (isNamed: boolean, options: Parameters<typeof startAws>[1] = {}) => {
    const { aws, registry, open } = await startAws('private', options);
    for (const name of ['one', 'two']) aws.store.repositories.set(`eu-central-1/team/${name}`, { settings: {} });
    const one = (await open(`${PRIVATE}/team/one`)).repository;
    const layer = await writeBlob(one, LAYER);
    if (isNamed) {
      const config = Buffer.from('{}');
      await one.putBlob(blobOf(config, MEDIA_TYPE.config), config);
      await one.putManifest(
        manifestOf({ config: blobOf(config, MEDIA_TYPE.config), layers: [layer] }, MEDIA_TYPE.manifest),
      );
    }
    const mount = (await open(`${PRIVATE}/team/two`)).repository.mountBlob(layer, one);
    return {
      aws,
      isMounted: await mount,
      asked: registry.requests.filter(({ query, status }) => query.includes('mount=') && status !== 401),
    };
  };

  it.each([
    ['what a manifest names is mounted', true, true],
    ['what no manifest names is sent', false, false],
  ])('%s', async (_name, isNamed, expected) => {
    const { aws, isMounted, asked } = await two(isNamed);
    expect([isMounted, asked.length]).toEqual([expected, 1]);
    expect(aws.calls).toContain('ecr:GetAccountSetting eu-central-1');
    expect(aws.violations).toEqual([]);
  });

  it('nothing is asked for where the account has them switched off', async () => {
    const { isMounted, asked } = await two(true, { accountSettings: { BLOB_MOUNTING: 'DISABLED' } });
    expect([isMounted, asked]).toEqual([false, []]);
  });

  it('who may not look at the setting tries', async () => {
    const action = 'ecr:GetAccountSetting';
    expect((await two(true, { denied: { [action]: action } })).isMounted).toBe(true);
  });
});
