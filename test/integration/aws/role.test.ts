import { expect, onTestFinished, test } from 'vitest';
import { placesOf } from '../../../src/commands/places.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { ISSUER, type IssuerOptions, SUBJECT, startIssuer } from '../../emulators/oidc/issuer.ts';
import { type StsOptions, startSts } from '../../emulators/oidc/sts.ts';
import { putIndex } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';
import { startMoto } from './sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/images';
const OTHER = 'arn:aws:iam::999999999999:role/other';

/** An emulated account whose keys are a session's alone, GitHub's issuer, and the input `aws-role`. */
const start = async (
  mode: 'private' | 'public',
  options: Partial<StsOptions> & IssuerOptions & { readonly endpoint?: string } = {},
) => {
  const issuer = await startIssuer(options);
  onTestFinished(() => issuer.stop());
  let accept: Parameters<typeof startSts>[1] = () => undefined;
  const sts = await startSts(issuer, (session) => accept(session), {
    roles: { [ROLE]: (sub) => sub === SUBJECT },
    ...options,
  });
  onTestFinished(() => sts.stop());
  const keys = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', GITHUB_RUN_ID: '77' };
  const env = { ...keys, ...issuer.environment, AWS_ENDPOINT_URL_STS: options.endpoint ?? sts.url };
  const account = await startAws(mode, {}, { env });
  accept = account.aws.accept;
  return { ...account, issuer, sts };
};

test.each([
  ['private', `${PRIVATE}/team/app`, 'ecr:GetAuthorizationToken eu-central-1'],
  ['public', `${PUBLIC}/acme/app`, 'ecr-public:GetAuthorizationToken us-east-1'],
] as const)('ECR %s is written to in a role that the job assumes by its ID token', async (mode, reference, call) => {
  const { aws, issuer, sts, host, open } = await start(mode);
  const { prepare, repository } = await open(reference, {
    createRepository: true,
    awsRole: [OTHER, ROLE].slice(mode === 'private' ? 0 : 1),
  });
  await prepare();
  await putIndex(repository, '1.0');
  expect(aws.calls).toContain(call);
  expect(aws.violations).toEqual([]);
  // The role of the registry's account is chosen, assumed once, and its token asked for the audience that AWS expects.
  expect(sts.asked.map((form) => form.get('RoleArn'))).toEqual([ROLE]);
  expect(sts.asked[0]?.get('RoleSessionName')).toBe('nix-images-77');
  expect(issuer.audiences).toEqual(['sts.amazonaws.com']);
  const [session] = sts.opened;
  expect(host.log.masked).toEqual(expect.arrayContaining([session?.secret, session?.token, ...issuer.tokens]));
  const said = host.log.lines.join('\n');
  for (const secret of [...issuer.tokens, session?.secret, session?.token]) expect(said).not.toContain(secret);
});

test('a role is assumed again, by a token of its own, when its session ends', async () => {
  const { issuer, sts, host } = await start('private', { lifetime: 1000 });
  const places = await placesOf(host, { plainHttp: [], token: undefined, createRepository: true, awsRole: [ROLE] });
  await places.prepare([parseLocation(`${PRIVATE}/team/app`)]);
  await places.prepare([parseLocation(`${PRIVATE}/team/tool`)]);
  expect(sts.opened.length).toBeGreaterThan(1);
  expect(new Set(issuer.tokens).size).toBe(issuer.tokens.length);
  expect(issuer.tokens.length).toBe(sts.opened.length);
});

test.each<[string, Parameters<typeof start>[1], string, (hint: string) => void]>([
  [
    'that trusts another workflow',
    { subject: 'repo:org@1001/consumer@2002:environment:release' },
    'AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity',
    (hint) => {
      expect(JSON.parse(hint.slice(hint.indexOf('{')))).toEqual({
        Effect: 'Allow',
        Principal: { Federated: 'arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com' },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: {
            'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
            'token.actions.githubusercontent.com:sub': 'repo:org@1001/consumer@2002:environment:release',
          },
        },
      });
    },
  ],
  [
    'in an account that does not know GitHub',
    { audiences: [] },
    'No OpenIDConnect provider found',
    (hint) => expect(hint).toContain(`Add an identity provider for ${ISSUER} to IAM of account 123456789012`),
  ],
  [
    'in an account that knows GitHub for another audience',
    { audiences: ['mine'] },
    'Incorrect token audience',
    (hint) => expect(hint).toContain('with the audience sts.amazonaws.com'),
  ],
])('a role %s is an error at every registry, with what to add', async (_name, options, message, judge) => {
  for (const [mode, reference] of [
    ['private', `${PRIVATE}/team/app`],
    ['public', `${PUBLIC}/acme/app`],
  ] as const) {
    const { aws, host } = await start(mode, options);
    const places = await placesOf(host, { plainHttp: [], token: undefined, awsRole: [ROLE] });
    const error = await places.hasCredentials(parseLocation(reference)).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'credentials', message: expect.stringContaining(message) });
    judge((error as { readonly hint: string }).hint);
    expect(aws.calls).toEqual([]);
  }
});

test('an STS that cannot be reached is named', async () => {
  const { host } = await start('private', { endpoint: 'http://127.0.0.1:9' });
  const places = await placesOf(host, { plainHttp: [], token: undefined, awsRole: [ROLE] });
  await expect(places.hasCredentials(parseLocation(`${PRIVATE}/team/app`))).rejects.toMatchObject({
    message: expect.stringMatching(/cannot assume arn:aws:iam::123456789012:role\/images|cannot reach AWS/),
  });
});

// Python needs a second or two to start moto.
test('moto answers what the client of AWS reads', async () => {
  const { host } = await start('private', { endpoint: await startMoto() });
  const places = await placesOf(host, { plainHttp: [], token: undefined, awsRole: [ROLE] });
  // The session is moto's, so the emulated account does not know it: that much is said by AWS and not by the client.
  await expect(places.hasCredentials(parseLocation(`${PRIVATE}/team/app`))).rejects.toMatchObject({
    message: expect.stringContaining('UnrecognizedClientException'),
  });
});
