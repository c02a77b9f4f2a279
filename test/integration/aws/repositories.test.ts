import { describe, expect, it } from 'vitest';
import { blobOf, noise, putIndex, writeBlob } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

const POLICY = {
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
      action: { type: 'expire' },
    },
  ],
};

const operations = (calls: readonly string[]): string[] => calls.map((call) => call.replace(/^.*:(\w+) .*$/, '$1'));

describe('a repository that does not exist', () => {
  it.each([
    ['ECR', 'private', `${PRIVATE}/team/app`, `team/app in ECR of 123456789012 in eu-central-1`],
    ['ECR Public', 'public', `${PUBLIC}/acme/app`, 'app in ECR Public of acme'],
  ] as const)('of %s is an error before anything is sent', async (_name, mode, reference, place) => {
    const { registry, open } = await startAws(mode);
    const { prepare } = await open(reference);
    await expect(prepare()).rejects.toMatchObject({
      code: 'registry',
      message: `the repository ${place} does not exist`,
      hint: expect.stringContaining('--create-repository'),
    });
    expect(registry.requests).toEqual([]);
  });

  it.each([
    ['private', `${PRIVATE}/team/app`],
    ['public', `${PUBLIC}/acme/app`],
  ] as const)('is made once, and found the next time: %s', async (mode, reference) => {
    const { aws, open, host } = await startAws(mode);
    const first = await open(reference, { createRepository: true });
    await first.prepare();
    await first.prepare();
    expect(operations(aws.calls).filter((name) => name === 'CreateRepository')).toHaveLength(1);
    expect(host.log.lines.join('\n')).toContain('created ');
    const before = aws.calls.length;
    await (await open(reference, { createRepository: true })).prepare();
    expect(operations(aws.calls.slice(before))).not.toContain('CreateRepository');
    expect(aws.violations).toEqual([]);
  });

  it('may be made by another job meanwhile', async () => {
    const { aws, open } = await startAws('private');
    const jobs = await Promise.all([1, 2, 3].map(() => open(`${PRIVATE}/team/app`, { createRepository: true })));
    await Promise.all(jobs.map(({ prepare }) => prepare()));
    expect(aws.store.repositories.size).toBe(1);
    expect(aws.violations).toEqual([]);
  });

  it.each([
    ['private', `${PRIVATE}/team/app`, 'ecr:CreateRepository'],
    ['public', `${PUBLIC}/acme/app`, 'ecr-public:CreateRepository'],
  ] as const)('and may not be made by this role: %s', async (mode, reference, action) => {
    const { open } = await startAws(mode, { denied: { [action]: action } });
    const { prepare } = await open(reference, { createRepository: true });
    await expect(prepare()).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringMatching(/^cannot create .*app in ECR/),
      hint: expect.stringContaining(`"Action":["${action}"]`),
    });
  });
});

it.each([
  ['private', `${PRIVATE}/team/app`, 'ecr:DescribeRepositories', 'eu-central-1/team/app'],
  ['public', `${PUBLIC}/acme/app`, 'ecr-public:DescribeRepositories', 'public/app'],
  ['public', `${PUBLIC}/acme/app`, 'ecr-public:DescribeRegistries', 'public/app'],
] as const)('who may push need not be allowed to look: %s %s %s', async (mode, reference, action, key) => {
  const { aws, open } = await startAws(mode, { denied: { [action]: action } });
  aws.store.repositories.set(key, { settings: {} });
  const { prepare, repository } = await open(reference);
  await prepare();
  await putIndex(repository, '1.0');
  await expect((await open(reference, { createRepository: true })).prepare()).rejects.toMatchObject({
    code: 'credentials',
  });
});

describe('settings', () => {
  it('of ECR are set when it is made, kept up to date later, and not sent where nothing differs', async () => {
    const { aws, open } = await startAws('private');
    const given = {
      immutableTags: { except: ['latest'] },
      scanOnPush: true,
      encryption: { type: 'KMS', key: 'arn:aws:kms:eu-central-1:123456789012:key/k' },
      lifecyclePolicy: POLICY,
    };
    const prepare = async (settings: object): Promise<string[]> => {
      const before = aws.calls.length;
      const inputs = { createRepository: true, repositorySettings: JSON.stringify(settings) };
      await (await open(`${PRIVATE}/team/app`, inputs)).prepare();
      return operations(aws.calls.slice(before));
    };
    await prepare(given);
    const stored = aws.store.repositories.get('eu-central-1/team/app');
    expect(stored?.settings).toMatchObject({
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'latest' }],
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: { encryptionType: 'KMS', kmsKey: given.encryption.key },
    });
    expect(JSON.parse(stored?.lifecyclePolicy ?? '')).toEqual(POLICY);
    expect(await prepare(given)).toEqual(['DescribeRepositories', 'GetLifecyclePolicy']);
    await prepare({ immutableTags: true, scanOnPush: false });
    expect(stored?.settings).toMatchObject({
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: false },
    });
    expect(stored?.settings).not.toHaveProperty('imageTagMutabilityExclusionFilters');
    expect(aws.violations).toEqual([]);
  });

  it.each([
    ['a field that is unknown', { scanOnPsuh: true }, 'scanOnPsuh'],
    ['a filter that is none', { immutableTags: { except: ['a/b'] } }, 'immutableTags'],
    ['a policy without rules', { lifecyclePolicy: { rules: [] } }, 'lifecyclePolicy'],
    ['a description that is too long', { description: 'x'.repeat(1025) }, 'description'],
  ])('with %s are an error that names it', async (_name, settings, field) => {
    const { aws, open } = await startAws('private');
    const { prepare } = await open(`${PRIVATE}/team/app`, { repositorySettings: JSON.stringify(settings) });
    await expect(prepare()).rejects.toMatchObject({ code: 'input', message: expect.stringContaining(field) });
    expect(aws.store.repositories.size).toBe(0);
  });
});

it.each(['a', 'team/app--', 'team/.app', `team/${'x'.repeat(300)}`])('%s is no name that ECR takes', async (name) => {
  const { aws, open } = await startAws('private');
  const { prepare } = await open(`${PRIVATE}/${name}`, { createRepository: true }).catch((error) => ({
    prepare: () => Promise.reject(error),
  }));
  await expect(prepare()).rejects.toMatchObject({ code: 'reference', message: expect.stringContaining('not a valid') });
  expect(aws.calls).toEqual([]);
});

describe('ECR Public', () => {
  it.each([
    ['another alias', `${PUBLIC}/other/app`, 'other is not an alias', 'acme'],
    ['no alias', `${PUBLIC}/app`, 'is not a valid repository of ECR Public', 'ALIAS'],
    ['a name that only other registries take', `${PUBLIC}/acme/my__app`, 'is not a valid repository', '_'],
  ])('refuses %s before anything is sent', async (_name, reference, message, hint) => {
    const { open } = await startAws('public');
    const { prepare } = await open(reference, { createRepository: true });
    await expect(prepare()).rejects.toMatchObject({
      code: 'reference',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it('says by its own interface which blobs are there, many at once', async () => {
    const { aws, registry, open } = await startAws('public');
    const { prepare, repository } = await open(`${PUBLIC}/acme/app`, { createRepository: true });
    await prepare();
    const blob = await writeBlob(repository, noise(1000, 'there'));
    const missing = Array.from({ length: 150 }, (_, at) => blobOf(noise(100, `missing ${at}`)));
    const again = (await open(`${PUBLIC}/acme/app`)).repository;
    const before = aws.calls.length;
    const found = await Promise.all([blob, ...missing].map((descriptor) => again.hasBlob(descriptor)));
    expect(found).toEqual([true, ...missing.map(() => false)]);
    expect(operations(aws.calls.slice(before))).toEqual(['BatchCheckLayerAvailability', 'BatchCheckLayerAvailability']);
    expect(registry.requests.filter(({ method }) => method === 'HEAD')).toEqual([]);
  });

  it('is asked by GET where its own interface may not be, and never for a mount', async () => {
    const action = 'ecr-public:BatchCheckLayerAvailability';
    const { aws, registry, open } = await startAws('public', { denied: { [action]: action } });
    const app = await open(`${PUBLIC}/acme/app`, { createRepository: true });
    const other = await open(`${PUBLIC}/acme/other`, { createRepository: true });
    await app.prepare();
    await other.prepare();
    const blob = await writeBlob(app.repository, noise(1000, 'there'));
    const before = aws.calls.length;
    const again = (await open(`${PUBLIC}/acme/app`)).repository;
    expect(await again.hasBlob(blob)).toBe(true);
    expect(await again.hasBlob(blobOf(noise(9, 'missing')))).toBe(false);
    const asked = operations(aws.calls.slice(before)).filter((name) => name === 'BatchCheckLayerAvailability');
    expect(asked).toHaveLength(1);
    expect(await other.repository.mountBlob(blob, again)).toBe(false);
    expect(registry.requests.filter(({ query }) => query.includes('mount='))).toEqual([]);
    expect(registry.requests.filter(({ method }) => method === 'HEAD')).toEqual([]);
  });

  it('is read by anybody, whatever AWS says of them', async () => {
    const { aws, open } = await startAws('public', {}, { env: { AWS_SECRET_ACCESS_KEY: 'wrong-secret-of-someone' } });
    aws.store.repositories.set('public/app', { settings: {} });
    const { repository } = await open(`${PUBLIC}/acme/app`);
    expect(await repository.getManifest('latest')).toBeUndefined();
    await expect(putIndex(repository, '1.0')).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('InvalidSignatureException'),
    });
  });
});
