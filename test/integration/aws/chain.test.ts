import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { uniqueTempDir } from '../../support/tools.ts';
import { putIndex } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

const NO_KEYS = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };

let folder: string;

// AWS's client reads these of the process.
beforeEach(async () => {
  const temp = await uniqueTempDir('aws');
  onTestFinished(() => temp.remove());
  folder = temp.path;
  const variables = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE', 'AWS_WEB_IDENTITY_TOKEN_FILE'];
  for (const name of variables) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'));
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
});

afterEach(() => void vi.unstubAllEnvs());

it.each([
  ['private', `${PRIVATE}/team/app`, 'eu-central-1/team/app'],
  ['public', `${PUBLIC}/acme/app`, 'public/app'],
] as const)('without credentials of AWS, ECR %s says where they were looked for', async (mode, reference, key) => {
  const { aws, open } = await startAws(mode, {}, { env: NO_KEYS });
  aws.store.repositories.set(key, { settings: {} });
  const { prepare, repository } = await open(reference);
  await prepare();
  await expect(putIndex(repository, '1.0')).rejects.toMatchObject({
    code: 'credentials',
    message: expect.stringMatching(/AWS_ACCESS_KEY_ID, AWS_PROFILE and ~\/\.aws/),
    hint: expect.stringContaining('configure-aws-credentials'),
  });
  expect(aws.calls).toEqual([]);
});

it('a profile is as good as keys in the environment', async () => {
  const { aws, open } = await startAws('private', {}, { env: NO_KEYS });
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = aws.keys;
  await writeFile(
    join(folder, 'credentials'),
    `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`,
  );
  const { prepare, repository } = await open(`${PRIVATE}/team/app`, { createRepository: true });
  await prepare();
  await putIndex(repository, '1.0');
  expect(aws.calls).toContain('ecr:GetAuthorizationToken eu-central-1');
});
