import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startAwsEmulator } from '../../emulators/aws/emulator.ts';
import type { RegistryEmulator } from '../../emulators/registry/emulator.ts';
import { startProxy } from '../../support/proxy.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { committedBlobs, expectClear, type PublishJob, publish, tryPublish } from '../publish/kit.ts';
import { hostOf, type Place, startAwsRegistry } from './kit.ts';

const PLACES = ['public', 'eu-central-1', 'us-east-1'] as const satisfies readonly Place[];

const repositoryAt = (place: Place): string => (place === 'public' ? 'acme/app' : 'team/app');

/** ECR Public and two regions of ECR, behind a proxy, for nothing resolves their names here; and a publish to all of them. */
const startPlaces = async (endsAfter?: number) => {
  const aws = await startAwsEmulator();
  onTestFinished(() => aws.stop());
  const registries: { readonly place: Place; readonly registry: RegistryEmulator }[] = [];
  for (const place of PLACES) {
    registries.push({ place, registry: await startAwsRegistry(place, aws, { scheme: 'http', endsAfter }) });
  }
  const proxy = await startProxy({
    portOf: (port, host) => {
      const found = registries.find(({ place }) => hostOf(place) === host);
      return found ? Number(found.registry.host.split(':')[1]) : port;
    },
  });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const folder = await uniqueTempDir('aws');
  onTestFinished(() => folder.remove());
  const job: PublishJob = {
    image: 'small',
    to: PLACES.map((place) => `${hostOf(place)}/${repositoryAt(place)}:v1`),
    more: ['--create-repository', ...PLACES.flatMap((place) => ['--plain-http', hostOf(place)])],
    state: join(folder.path, 'state'),
    env: { ...aws.keys, AWS_ENDPOINT_URL: aws.url, HTTP_PROXY: `http://${proxy.host}`, NO_PROXY: '127.0.0.1' },
  };
  return { aws, registries, job };
};

const tokens = (calls: readonly string[]): string[] => calls.filter((call) => call.includes('GetAuthorizationToken'));

// Nix evaluates the image.
it('one publish goes to ECR Public and to two regions of ECR, each with a token of its own; the next one sends nothing', async () => {
  const { aws, registries, job } = await startPlaces();
  const { digest } = await publish(job);
  for (const { place, registry } of registries) {
    const stored = registry.store.manifest(repositoryAt(place), 'v1');
    expect(stored && JSON.parse(stored.bytes.toString())).toHaveProperty('manifests');
    expect(registry.store.manifest(repositoryAt(place), digest)?.bytes).toEqual(stored?.bytes);
    expect(committedBlobs(registry).length).toBeGreaterThan(0);
  }
  expect(tokens(aws.calls).sort()).toEqual([
    'ecr-public:GetAuthorizationToken us-east-1',
    'ecr:GetAuthorizationToken eu-central-1',
    'ecr:GetAuthorizationToken us-east-1',
  ]);
  const atPublic = registries.find(({ place }) => place === 'public')?.registry;
  expect(atPublic?.requests.filter(({ method, path }) => method === 'HEAD' && path.includes('/blobs/'))).toEqual([]);

  const before = registries.map(({ registry }) => registry.requests.length);
  expect((await publish(job)).digest).toBe(digest);
  const again = registries.flatMap(({ registry }, at) => registry.requests.slice(before[at]));
  expect(again.length).toBeGreaterThan(0);
  expect(again.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  expect(aws.violations).toEqual([]);
});

it.each([1, 2, 4])('tokens that end after %i requests are renewed, and everything arrives once', async (endsAfter) => {
  const { aws, registries, job } = await startPlaces(endsAfter);
  const { digest } = await publish(job);
  for (const { place, registry } of registries) {
    expect(registry.store.manifest(repositoryAt(place), digest)).toBeDefined();
    const sent = committedBlobs(registry);
    expect(new Set(sent).size).toBe(sent.length);
  }
  // One more for each registry: none was renewed in vain.
  expect(tokens(aws.calls)).toHaveLength(6);
  expect(aws.violations).toEqual([]);
});

// Nix evaluates the images.
it('a tag that cannot move and means another image ends the publish before anything is sent', async () => {
  const { registries, job } = await startPlaces();
  const settings = ['--repository-settings', '{"immutableTags": {"except": ["main*"]}}'];
  const to = [`${hostOf('eu-central-1')}/team/app`];
  const at = (tags: readonly string[], image: string): PublishJob => ({
    ...job,
    image,
    to,
    more: [...(job.more ?? []), ...settings, ...tags.flatMap((tag) => ['--tag', tag])],
  });
  await publish(at(['v1', 'main'], 'small'));
  const registry = registries.find(({ place }) => place === 'eu-central-1')?.registry;
  if (!registry) throw new Error('no registry');
  const before = registry.requests.length;
  const other = await tryPublish(at(['main', 'v1'], 'hello'));
  expectClear(other, /does not let the tag v1 change: it means sha256:.*; nothing was sent/, /tag immutability/);
  const sent = registry.requests.slice(before).filter(({ method }) => !['GET', 'HEAD'].includes(method));
  expect(sent).toEqual([]);
  // The same image, and tags that are excepted.
  await publish(at(['v1', 'main', 'v2'], 'small'));
  await publish(at(['main'], 'hello'));
});
