import { describe, expect, onTestFinished, test } from 'vitest';
import { idTokens } from '../../../src/github/id-token.ts';
import { dockerHubAccess, parseConnection } from '../../../src/oidc/docker-hub.ts';
import { googleAccess, isGoogleHost, parseGoogleProvider, parseServiceAccount } from '../../../src/oidc/google.ts';
import { type DockerHubOptions, dockerHubExchanges } from '../../emulators/oidc/docker-hub.ts';
import { type Exchanges, fetchFrom } from '../../emulators/oidc/exchanges.ts';
import { type GoogleOptions, googleExchanges } from '../../emulators/oidc/google.ts';
import { type Issuer, SUBJECT, startIssuer } from '../../emulators/oidc/issuer.ts';
import { memoryLog } from '../../support/memory-log.ts';

const PROVIDER = 'projects/123456789/locations/global/workloadIdentityPools/github/providers/actions';
const ACCOUNT = 'images@project.iam.gserviceaccount.com';
const CONNECTION = '123e4567-e89b-42d3-a456-426614174000';

const open = async (serviceOf: (issuer: Issuer) => Exchanges) => {
  const issuer = await startIssuer();
  onTestFinished(() => issuer.stop());
  const service = serviceOf(issuer);
  const log = memoryLog();
  const asked: string[] = [];
  const clock = { now: Date.now, sleep: async () => undefined, random: () => 0 };
  const world = { fetch: fetchFrom([service], asked), log, clock, signal: new AbortController().signal };
  return { service, log, asked, world, askToken: idTokens((name) => issuer.environment[name], world) };
};

const google = async (change: Partial<GoogleOptions> = {}, serviceAccount?: string) => {
  const opened = await open((issuer) => googleExchanges(issuer, { provider: PROVIDER, ...change }));
  return { ...opened, access: googleAccess({ provider: PROVIDER, serviceAccount }, opened.askToken, opened.world) };
};

const dockerHub = async (change: Partial<DockerHubOptions> = {}) => {
  const options = { connection: CONNECTION, organization: 'acme', ...change };
  const opened = await open((issuer) => dockerHubExchanges(issuer, options));
  return { ...opened, access: dockerHubAccess(CONNECTION, opened.askToken, opened.world) };
};

describe('Google', () => {
  test('exchanges the token of a job for one that its registries take', async () => {
    const { access, asked, log, service } = await google();
    const { token, expires } = await access;
    expect(service.isGood('oauth2accesstoken', token)).toBe(true);
    expect(expires - Date.now()).toBeGreaterThan(3_500_000);
    expect(expires - Date.now()).toBeLessThan(3_600_000);
    expect(asked).toEqual(['POST sts.googleapis.com/v1/token']);
    expect(log.masked).toContain(token);
  });

  test('lets the job act as a service account', async () => {
    const accounts = { [ACCOUNT]: (subject: string) => subject === SUBJECT };
    const { access, asked, log, service } = await google({ accounts }, ACCOUNT);
    const { token, expires } = await access;
    expect(service.isGood('oauth2accesstoken', token)).toBe(true);
    expect(expires - Date.now()).toBeGreaterThan(3_500_000);
    expect(asked.at(-1)).toBe(
      `POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${ACCOUNT}:generateAccessToken`,
    );
    expect(log.masked).toContain(token);
  });

  test.each<[string, Partial<GoogleOptions>, string | undefined, string, string]>([
    [
      'a provider that does not exist',
      { provider: `${PROVIDER}-2` },
      undefined,
      'invalid_target',
      'disabled or deleted',
    ],
    ['an attribute condition', { allows: () => false }, undefined, SUBJECT, 'attribute condition'],
    ['a provider with other audiences', { audiences: ['mine'] }, undefined, 'does not match', 'allowed audiences'],
    ['a service account that is not the job’s', {}, ACCOUNT, 'getAccessToken', `github/subject/${SUBJECT}`],
    ['an API that is switched off', { isDisabled: true }, ACCOUNT, 'has not been used', 'workloadIdentityUser'],
  ])('%s is said, with what to do', async (_name, options, account, message, hint) => {
    const { access, world } = await google(options, account);
    await expect(access).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    // One refusal is enough: nothing is tried again that was understood.
    expect(world.log.lines.join('\n')).not.toContain('trying again');
  });

  test.each([
    ['europe-docker.pkg.dev', true],
    ['us-central1-docker.pkg.dev', true],
    ['gcr.io', true],
    ['eu.gcr.io', true],
    ['docker.pkg.dev.example.com', false],
    ['evilgcr.io', false],
    ['ghcr.io', false],
  ])('%s: %s', (host, isGoogle) => expect(isGoogleHost(host)).toBe(isGoogle));

  test('a provider is named with the number of its project, in any of its spellings', () => {
    expect(parseGoogleProvider(`https://iam.googleapis.com/${PROVIDER}`)).toBe(PROVIDER);
    expect(parseGoogleProvider(`//iam.googleapis.com/${PROVIDER}`)).toBe(PROVIDER);
    expect(() => parseGoogleProvider(PROVIDER.replace('123456789', 'my-project'))).toThrow(
      'not the name of a workload',
    );
    expect(parseServiceAccount(ACCOUNT)).toBe(ACCOUNT);
    expect(() => parseServiceAccount('images/../x@y')).toThrow('not the address of a service account');
  });
});

describe('Docker Hub', () => {
  test('exchanges the token of a job for one of the organization, also when it is busy', async () => {
    const { access, asked, log, service } = await dockerHub({ limited: 2 });
    const { token, expires } = await access;
    expect(service.isGood('acme', token)).toBe(true);
    expect(service.isGood('other', token)).toBe(false);
    expect(expires - Date.now()).toBeGreaterThan(3_500_000);
    expect(asked).toEqual(Array(3).fill('POST identity.docker.com/oauth/token'));
    expect(log.masked).toContain(token);
  });

  test.each<[string, Partial<DockerHubOptions>]>([
    ['rulesets that leave the job out', { allows: () => false }],
    ['a connection that is gone', { connection: CONNECTION.replace('1', '2') }],
  ])('%s is said, with the subject to allow', async (_name, options) => {
    const { access } = await dockerHub(options);
    await expect(access).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('which answered 403'),
      hint: expect.stringContaining(`the subject claim ${SUBJECT}`),
    });
  });

  test('a connection is named by its ID', () => {
    expect(parseConnection(CONNECTION.toUpperCase())).toBe(CONNECTION);
    expect(() => parseConnection('acme')).toThrow('is not the ID of an OIDC connection');
  });
});
