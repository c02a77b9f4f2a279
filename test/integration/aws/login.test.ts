import { describe, expect, it } from 'vitest';
import { placesOf } from '../../../src/commands/places.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { putIndex } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

const MADE = { createRepository: true };

describe.each([
  ['private', `${PRIVATE}/team/app`, 'eu-central-1', 'ecr'],
  ['public', `${PUBLIC}/acme/app`, 'us-east-1', 'ecr-public'],
] as const)('ECR %s', (mode, reference, region, service) => {
  it('is logged in to with the credentials of AWS, once', async () => {
    const { aws, registry, open, host } = await startAws(mode);
    const { prepare, repository } = await open(reference, MADE);
    await prepare();
    const index = await putIndex(repository, '1.0');
    expect((await repository.getManifest('1.0'))?.digest).toBe(index.digest);
    expect(aws.violations).toEqual([]);
    expect(aws.calls.filter((call) => call.includes('GetAuthorizationToken'))).toEqual([
      `${service}:GetAuthorizationToken ${region}`,
    ]);
    const secrets = registry.requests.flatMap(({ headers }) => headers.authorization?.split(' ')[1] ?? []);
    expect(secrets.length).toBeGreaterThan(0);
    for (const secret of secrets) expect(host.log.masked).toContain(secret);
    expect(host.log.masked).toContain(aws.keys.AWS_SECRET_ACCESS_KEY);
    expect(host.log.lines.join('\n')).not.toContain(aws.keys.AWS_SECRET_ACCESS_KEY);
  });

  it('is logged in to again when the registry says that the token has ended', async () => {
    const { aws, registry, open } = await startAws(mode);
    const { prepare, repository } = await open(reference, MADE);
    await prepare();
    await putIndex(repository, 'first');
    aws.store.endAll();
    const index = await putIndex(repository, 'second', 9_000_000);
    expect((await repository.getManifest('second'))?.digest).toBe(index.digest);
    expect(aws.calls.filter((call) => call.includes('GetAuthorizationToken'))).toHaveLength(2);
    expect(registry.requests.filter(({ status }) => status === (mode === 'private' ? 403 : 400))).not.toEqual([]);
  });

  it('is logged in to again before the token ends', async () => {
    // Shorter than what is kept in reserve: each one is good, and due to be renewed.
    const { aws, registry, open } = await startAws(mode, { lifetime: 50_000 });
    const { prepare, repository } = await open(reference, MADE);
    await prepare();
    await putIndex(repository, '1.0');
    expect(aws.calls.filter((call) => call.includes('GetAuthorizationToken')).length).toBeGreaterThan(1);
    expect(registry.requests.filter(({ status }) => status === 403 || status === 400)).toEqual([]);
  });

  it('goes on through throttling', async () => {
    const { aws, open } = await startAws(mode, { throttled: 1 });
    const { prepare } = await open(reference, MADE);
    await prepare();
    expect(aws.store.repositories.size).toBe(1);
  });

  it('names the statement that the policy lacks', async () => {
    const action = mode === 'public' ? 'sts:GetServiceBearerToken' : 'ecr:GetAuthorizationToken';
    const { aws, open } = await startAws(mode, { denied: { [`${service}:GetAuthorizationToken`]: action } });
    const { prepare, repository } = await open(reference, MADE);
    await prepare();
    await expect(putIndex(repository, '1.0')).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(action),
      hint: expect.stringContaining(`"Effect":"Allow","Action":["${service}:GetAuthorizationToken"`),
    });
    expect(aws.violations).toEqual([]);
  });

  it('prefers a login that docker remembers', async () => {
    const { aws, open } = await startAws(mode);
    const { password } = aws.store.issue(60_000);
    const auth = JSON.stringify({ auths: { [reference.split('/')[0] ?? '']: { username: 'AWS', password } } });
    aws.store.repositories.set(mode === 'public' ? 'public/app' : 'eu-central-1/team/app', { settings: {} });
    const { prepare, repository } = await open(reference, { registryAuth: auth });
    await prepare();
    await putIndex(repository, '1.0');
    expect(aws.calls.filter((call) => call.includes('GetAuthorizationToken'))).toEqual([]);
  });

  it.each([
    ['a key that is not known', { AWS_ACCESS_KEY_ID: 'AKIAOTHER' }, 'UnrecognizedClientException'],
    ['another secret', { AWS_SECRET_ACCESS_KEY: 'wrong-secret-of-someone' }, 'InvalidSignatureException'],
  ])('says what is wrong with %s', async (_name, env, error) => {
    const { open } = await startAws(mode, {}, { env });
    const { prepare } = await open(reference, MADE);
    await expect(prepare()).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(error),
      hint: expect.stringContaining('AWS_'),
    });
  });
});

it('a token that ended while another repository used it is renewed, once', async () => {
  const { aws, host } = await startAws('private');
  for (const name of ['one', 'two']) aws.store.repositories.set(`eu-central-1/team/${name}`, { settings: {} });
  const places = await placesOf(host, { plainHttp: [], token: undefined });
  const open = (name: string) => places.openForWriting(parseLocation(`${PRIVATE}/team/${name}`));
  await putIndex(open('one'), '1.0');
  aws.store.endAll();
  const two = open('two');
  const index = await putIndex(two, '1.0');
  expect((await two.getManifest('1.0'))?.digest).toBe(index.digest);
  expect(aws.calls.filter((call) => call.includes('GetAuthorizationToken'))).toHaveLength(2);
});
