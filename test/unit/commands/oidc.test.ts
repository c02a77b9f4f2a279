import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LoginInputs } from '../../../src/commands/logins.ts';
import { jobIdentity, type OidcInputs, webIdentityFor } from '../../../src/commands/oidc.ts';
import { firstOf, oidcKeychain } from '../../../src/commands/oidc-keychain.ts';
import { placesOf } from '../../../src/commands/places.ts';
import type { Host } from '../../../src/host/host.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { parseLocationTemplate } from '../../../src/storage/location-template.ts';
import { ANONYMOUS, type Credential } from '../../../src/storage/registry/auth/credential.ts';
import { dockerHubExchanges } from '../../emulators/oidc/docker-hub.ts';
import { fetchFrom } from '../../emulators/oidc/exchanges.ts';
import { googleExchanges } from '../../emulators/oidc/google.ts';
import { startIssuer } from '../../emulators/oidc/issuer.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const PROVIDER = 'projects/123456789/locations/global/workloadIdentityPools/github/providers/actions';
const CONNECTION = '123e4567-e89b-42d3-a456-426614174000';
const ROLE = 'arn:aws:iam::123456789012:role/images';
const OTHER = 'arn:aws:iam::999999999999:role/images';
const GOOGLE = 'europe-docker.pkg.dev';

const unused = async () => {
  throw new Error('not to be called');
};

/** A step of a job with the right to ID tokens, or without it. */
const start = async (change: Readonly<Record<string, string>> = {}, event: object = {}) => {
  const issuer = await startIssuer();
  onTestFinished(() => issuer.stop());
  const folder = await uniqueTempDir('oidc');
  onTestFinished(() => folder.remove());
  const google = googleExchanges(issuer, { provider: PROVIDER });
  const hub = dockerHubExchanges(issuer, { connection: CONNECTION, organization: 'acme' });
  const log = memoryLog();
  const asked: string[] = [];
  await writeFile(join(folder.path, 'event.json'), JSON.stringify(event));
  const variables: Readonly<Record<string, string>> = {
    ...issuer.environment,
    GITHUB_EVENT_PATH: join(folder.path, 'event.json'),
    GITHUB_EVENT_NAME: 'pull_request' in event ? 'pull_request' : 'push',
    GITHUB_RUN_ID: '77',
    GITHUB_REPOSITORY: 'org/consumer',
    DOCKER_CONFIG: folder.path,
    ...change,
  };
  const host: Host = {
    kind: 'runner',
    env: (name) => variables[name] || undefined,
    cwd: folder.path,
    program: new URL('file:///nonexistent'),
    log,
    exec: unused,
    fetch: fetchFrom([google, hub], asked),
    signal: new AbortController().signal,
    tempDir: async () => folder.path,
    loadArtifactClient: unused,
  };
  return { issuer, google, hub, host, log, asked, folder: folder.path };
};

const NO_RIGHT = { ACTIONS_ID_TOKEN_REQUEST_URL: '' };

const FORK = { pull_request: { head: { repo: { full_name: 'stranger/consumer' } } } };

const keychain = async (inputs: OidcInputs & LoginInputs) => {
  const started = await start();
  const askToken = await jobIdentity(inputs, started.host);
  if (askToken === undefined) throw new Error('no identity');
  const clock = { now: Date.now, sleep: async () => undefined, random: () => 0 };
  return { ...started, ...oidcKeychain(inputs, askToken, { ...started.host, clock }) };
};

const to = (...places: string[]) => places.map(parseLocationTemplate);

/** The login that was found, which must be one by a password. */
const password = (found: Credential) => {
  if (found.kind !== 'basic') throw new Error(`found ${found.kind}`);
  return found;
};

describe('the identity of a job', () => {
  test('is not asked for where no input wants it', async () => {
    const { host } = await start(NO_RIGHT);
    expect(await jobIdentity({ awsRole: [] }, host)).toBeUndefined();
  });

  test.each<[string, OidcInputs]>([
    ['aws-role', { awsRole: [ROLE] }],
    ['google-provider', { googleProvider: PROVIDER }],
    ['docker-hub-connection', { dockerHubConnection: CONNECTION }],
  ])('that may not be shown is an error before anything is built, for %s', async (_name, inputs) => {
    const { host } = await start(NO_RIGHT);
    await expect(
      placesOf(host, { plainHttp: [], token: undefined, to: to('docker.io/acme/x'), ...inputs }),
    ).rejects.toMatchObject({
      code: 'credentials',
      hint: expect.stringContaining('Add the line `id-token: write`'),
    });
  });

  test.each<[string, Readonly<Record<string, string>>, object, string]>([
    ["of a fork's pull request", {}, FORK, 'pull request from a fork'],
    ['of Dependabot', { GITHUB_ACTOR: 'dependabot[bot]' }, {}, 'of Dependabot'],
  ])('%s is not there, and the run goes on without logins', async (_name, change, event, said) => {
    const { host, log } = await start({ ...NO_RIGHT, ...change }, event);
    const inputs = { googleProvider: PROVIDER, awsRole: [ROLE] };
    const places = await placesOf(host, { plainHttp: [], token: undefined, ...inputs });
    expect(await places.hasCredentials(parseLocation(`${GOOGLE}/project/images/app`))).toBe(false);
    expect(log.lines).toEqual([expect.stringContaining(said)]);
  });

  test('a service account alone says nothing of who the job is', async () => {
    const { host } = await start();
    await expect(jobIdentity({ googleServiceAccount: 'a@b.iam.gserviceaccount.com' }, host)).rejects.toMatchObject({
      code: 'input',
      hint: expect.stringContaining('`google-provider`'),
    });
  });
});

describe('of several roles', () => {
  const PRIVATE = {
    kind: 'private',
    account: '999999999999',
    region: 'eu-west-1',
    isFips: false,
    isDualStack: false,
  } as const;

  test.each([
    ['the one in the account of the registry is assumed', PRIVATE, [ROLE, OTHER], OTHER],
    ['the first is, where no account has one', PRIVATE, [ROLE], ROLE],
    ['the first is, for ECR Public', { kind: 'public' } as const, [ROLE, OTHER], ROLE],
    ['none is, where none is given', PRIVATE, [], undefined],
  ])('%s', (_name, registry, awsRole, role) => {
    const env = (name: string) => (name === 'GITHUB_RUN_ID' ? '7 7' : undefined);
    const found = webIdentityFor(registry, { awsRole }, unused, { env });
    expect(found?.role).toBe(role);
    if (found) expect(found.session).toBe('nix-images-7-7');
  });
});

describe('logins by OIDC', () => {
  test("Google's registries share one token, which is renewed when it has ended", async () => {
    const { find, google, asked } = await keychain({ googleProvider: PROVIDER });
    const first = password(await find(GOOGLE, 'project/images/app'));
    expect(google.isGood(first.username, first.password)).toBe(true);
    expect(first.expires).toBeGreaterThan(Date.now());
    expect(await find('gcr.io', 'project/app')).toBe(first);
    expect(asked).toHaveLength(1);
    const [one, two] = await Promise.all([find(GOOGLE, 'a', first), find(GOOGLE, 'b', first)]);
    expect(one).toBe(two);
    expect(password(one).password).not.toBe(first.password);
    expect(asked).toHaveLength(2);
  });

  test.each<[string, LoginInputs]>([
    ['that the destination names', { to: to('ghcr.io/other/{name}', 'docker.io/acme/{name}') }],
    ['that is the user', { username: 'acme', to: to('docker.io/mirror/{name}') }],
  ])('Docker Hub is logged in to for the organization %s, and for its repositories alone', async (_name, inputs) => {
    const { find, hub, asked } = await keychain({ dockerHubConnection: CONNECTION, ...inputs });
    expect(await find('docker.io', 'library/busybox')).toBe(ANONYMOUS);
    expect(await find('docker.io', 'acme-evil/app')).toBe(ANONYMOUS);
    expect(asked).toEqual([]);
    const found = password(await find('docker.io', 'acme/app'));
    expect(hub.isGood(found.username, found.password)).toBe(true);
    expect(found.username).toBe('acme');
  });

  test('an organization that nothing names is asked for', async () => {
    await expect(keychain({ dockerHubConnection: CONNECTION, username: 'me', password: 'x' })).rejects.toMatchObject({
      code: 'input',
      hint: expect.stringContaining('docker.io/ORGANIZATION/NAME'),
    });
  });

  test('other registries get none of them', async () => {
    const { find, asked } = await keychain({
      googleProvider: PROVIDER,
      dockerHubConnection: CONNECTION,
      username: 'acme',
    });
    for (const host of ['ghcr.io', 'quay.io', `${GOOGLE}.example.com`])
      expect(await find(host, 'acme/app')).toBe(ANONYMOUS);
    expect(asked).toEqual([]);
  });

  test('a password in the inputs counts before them, docker’s files after them', async () => {
    const { host, folder, google } = await start();
    const auths = {
      [GOOGLE]: { username: 'stale', password: 'from-docker' },
      'quay.io': { username: 'a', password: 'b' },
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths }));
    const inputs = { plainHttp: [], token: undefined, googleProvider: PROVIDER };
    const open = async (more: LoginInputs) => (await placesOf(host, { ...inputs, ...more })).hasCredentials;
    const app = parseLocation(`${GOOGLE}/project/images/app`);
    const before = google.issued();
    expect(await (await open({ registryAuth: `${GOOGLE} _json_key key-of-inputs` }))(app)).toBe(true);
    expect(google.issued()).toBe(before);
    expect(await (await open({}))(app)).toBe(true);
    expect(google.issued()).toBe(before + 1);
    expect(await (await open({}))(parseLocation('quay.io/a/b'))).toBe(true);
    expect(google.issued()).toBe(before + 1);
  });

  test('of keychains that know nothing, the first that says why is heard', async () => {
    const nobody = { find: async () => ANONYMOUS };
    const reason: Credential = { kind: 'anonymous', origin: 'none: for a reason' };
    const why = { find: async () => reason };
    expect(await firstOf(nobody, why).find('a', 'b')).toBe(reason);
    expect(await firstOf(why, nobody).find('a', 'b')).toBe(reason);
  });
});
