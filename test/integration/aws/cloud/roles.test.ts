import { DescribeRegionsCommand } from '@aws-sdk/client-ec2';
import { fromWebToken } from '@aws-sdk/credential-provider-web-identity';
import { expect, it, onTestFinished } from 'vitest';
import { SUBJECT, startIssuer } from '../../../emulators/oidc/issuer.ts';
import { type CloudKit, refusalOf, startCloudKit } from './kit.ts';

const ROLE = 'arn:aws:iam::123456789012:role/deploy';
const MINUTE = 60_000;

/** An ID token of a job's, as the step gets it. */
const tokenOf = async (
  environment: Readonly<Record<string, string>>,
  audience = 'sts.amazonaws.com',
): Promise<string> => {
  const url = `${environment.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${audience}`;
  const headers = { authorization: `Bearer ${environment.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` };
  const answer = (await (await fetch(url, { headers })).json()) as { value: string };
  return answer.value;
};

const assume = ({ settings }: CloudKit, webIdentityToken: string, roleArn = ROLE, durationSeconds = 900) => {
  const { region, endpoint, maxAttempts } = settings();
  const clientConfig = { region, endpoint, maxAttempts };
  return fromWebToken({ roleArn, webIdentityToken, roleSessionName: 'test', durationSeconds, clientConfig })();
};

it('gives a job a session of a role for its ID token, which ends by the clock of the cloud', async () => {
  const issuer = await startIssuer();
  onTestFinished(() => issuer.stop());
  const kit = await startCloudKit({ verifyIdToken: (token) => issuer.verify(token) });
  const { cloud, clock } = kit;
  cloud.state.roles.set(ROLE, { trustsToken: ({ sub }) => sub === SUBJECT, denied: ['ec2:DeregisterImage'] });
  const token = await tokenOf(issuer.environment);
  const keys = await assume(kit, token);
  const identity = cloud.state.identities.byKey(keys.accessKeyId);
  expect(identity).toMatchObject({
    arn: 'arn:aws:sts::123456789012:assumed-role/deploy/test',
    token: keys.sessionToken,
  });
  expect((keys.expiration?.getTime() ?? 0) - Date.now()).toBeGreaterThan(14 * MINUTE);
  const ask = () => refusalOf(kit.ec2('us-east-1', identity).send(new DescribeRegionsCommand({})));
  expect(await ask()).toBe('');
  clock.advance(15 * MINUTE);
  expect(await ask()).toBe('RequestExpired 400');

  expect(await refusalOf(assume(kit, issuer.forge('sts.amazonaws.com')))).toBe('InvalidIdentityTokenException 400');
  expect(await refusalOf(assume(kit, await tokenOf(issuer.environment, 'other')))).toBe(
    'InvalidIdentityTokenException 400',
  );
  expect(await refusalOf(assume(kit, token, `${ROLE}-2`))).toBe('AccessDenied 403');
  expect(await refusalOf(assume(kit, token, ROLE, 7200))).toBe('ValidationError 400');
  // What parallel jobs see now and then (aws-actions/configure-aws-credentials 299).
  const message = "Couldn't retrieve verification key from your identity provider";
  cloud.state.faults.add({
    verb: 'sts:AssumeRoleWithWebIdentity',
    nth: 1,
    harm: { kind: 'error', code: 'InvalidIdentityToken', message, status: 400 },
  });
  await expect(assume(kit, token)).rejects.toThrow(message);
  await assume(kit, token);
  expect(cloud.violations).toEqual([]);
});
