import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { listenOnLoopback, uniqueTempDir } from '../../support/tools.ts';
import { putIndex } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';
import { startMoto, startSts } from './sts.ts';

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

const ROLE = 'arn:aws:iam::123456789012:role/images';

/** What a workflow's step leaves whose job takes a role by OIDC: a token in a file, and the role. */
const withRole = async (endpoint: string): Promise<void> => {
  const file = join(folder, 'token');
  await writeFile(file, 'header.payload.signature');
  const variables = {
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: ROLE,
    AWS_ROLE_SESSION_NAME: 'images',
    AWS_ENDPOINT_URL_STS: endpoint,
    AWS_REGION: 'eu-central-1',
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
};

// Python needs a second or two to start moto.
describe('OIDC', () => {
  it('a token in a file becomes a session of its role, once for each registry', async () => {
    const { aws, open, host } = await startAws('private', {}, { env: NO_KEYS });
    const sts = await startSts(await startMoto(), aws.accept);
    await withRole(sts.url);
    const { prepare, repository } = await open(`${PRIVATE}/team/app`, { createRepository: true });
    await prepare();
    await putIndex(repository, '1.0');
    expect(sts.asked.map((form) => form.get('Action'))).toEqual(['AssumeRoleWithWebIdentity']);
    expect(Object.fromEntries(sts.asked[0] ?? [])).toMatchObject({
      RoleArn: ROLE,
      WebIdentityToken: 'header.payload.signature',
    });
    expect(aws.calls).toContain('ecr:GetAuthorizationToken eu-central-1');
    expect(aws.violations).toEqual([]);

    // What aws-actions/configure-aws-credentials leaves by default: the session itself, in the environment.
    const [session] = sts.opened;
    if (!session) throw new Error('no session was opened');
    const other = await startAws(
      'public',
      {},
      {
        env: {
          AWS_ACCESS_KEY_ID: session.accessKey,
          AWS_SECRET_ACCESS_KEY: session.secret,
          AWS_SESSION_TOKEN: session.token,
        },
      },
    );
    other.aws.accept(session);
    const again = await other.open(`${PUBLIC}/acme/app`, { createRepository: true });
    await again.prepare();
    await putIndex(again.repository, '1.0');
    expect(other.aws.calls).toContain('ecr-public:GetAuthorizationToken us-east-1');
    expect(sts.asked).toHaveLength(1);
    expect(other.host.log.masked).toContain(session.token);
    expect(host.log.lines.join('\n')).not.toContain(session.secret);
  });

  it.each([
    [
      'a role that does not trust the token',
      'AccessDenied',
      'Not authorized to perform sts:AssumeRoleWithWebIdentity',
      'trust policy',
    ],
    ['a token that has ended', 'ExpiredToken', 'Token must be within expiry date', 'configure-aws-credentials'],
  ])('%s is said', async (_name, code, message, hint) => {
    const server = createServer((_request, response) => {
      response.writeHead(code === 'AccessDenied' ? 403 : 400, { 'content-type': 'text/xml' });
      response.end(
        `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
      );
    });
    const { url, close } = await listenOnLoopback(server);
    onTestFinished(close);
    await withRole(url);
    const { open } = await startAws('private', {}, { env: NO_KEYS });
    const { prepare } = await open(`${PRIVATE}/team/app`, { createRepository: true });
    await expect(prepare()).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });
});
