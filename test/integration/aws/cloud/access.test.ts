import { createHash } from 'node:crypto';
import { PutSnapshotBlockCommand, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { CopyImageCommand, DescribeImagesCommand, DescribeRegionsCommand } from '@aws-sdk/client-ec2';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { throttling } from '../../../emulators/aws/cloud/faults.ts';
import type { Identity } from '../../../emulators/aws/cloud/identities.ts';
import { BLOCK_SIZE } from '../../../emulators/aws/ebs/snapshot.ts';
import { addImage, type CloudKit, refusalOf, startCloudKit } from './kit.ts';

const HOUR = 3_600_000;

/** How each service refuses the keys that it is asked with. */
const refusals = async (kit: CloudKit, identity?: Identity, region = 'us-east-1') => [
  await refusalOf(kit.ebs(region, identity).send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'x' }))),
  await refusalOf(kit.ec2(region, identity).send(new DescribeRegionsCommand({}))),
  await refusalOf(kit.ssm(region, identity).send(new GetParameterCommand({ Name: 'x' }))),
];

it('believes nobody but those whose keys, signature, token, partition, region and time are right', async () => {
  let skew = 0;
  const kit = await startCloudKit({ signatureTime: () => Date.now() + skew });
  const { cloud, clock } = kit;
  const right = ['', '', 'ParameterNotFound 400'];
  const unknown = ['UnrecognizedClientException 403', 'AuthFailure 401', 'UnrecognizedClientException 400'];
  const wrong = ['InvalidSignatureException 403', 'AuthFailure 401', 'InvalidSignatureException 400'];
  const expired = ['ExpiredTokenException 403', 'RequestExpired 400', 'ExpiredTokenException 400'];
  expect(await refusals(kit)).toEqual(right);
  expect(await refusals(kit, { ...cloud.admin, accessKey: 'AKIANOBODY0000000000' })).toEqual(unknown);
  expect(await refusals(kit, { ...cloud.admin, secret: 'x' })).toEqual(wrong);
  expect(await refusals(kit, undefined, 'me-central-1')).toEqual(unknown);
  cloud.state.region('me-central-1').isEnabled = true;
  expect(await refusals(kit, undefined, 'me-central-1')).toEqual(right);
  expect(await refusals(kit, undefined, 'us-gov-west-1')).toEqual(unknown);
  const session = cloud.state.identities.open({
    account: cloud.admin.account,
    partition: 'aws',
    arn: 'arn:aws:sts::123456789012:assumed-role/ci/x',
    expires: clock.now() + HOUR,
  });
  expect(await refusals(kit, session)).toEqual(right);
  expect(await refusals(kit, { ...session, token: 'x' })).toEqual(unknown);
  clock.advance(HOUR);
  expect(await refusals(kit, session)).toEqual(expired);
  skew = 10 * 60_000;
  expect(await refusals(kit)).toEqual([
    'InvalidSignatureException 403',
    'RequestExpired 400',
    'InvalidSignatureException 400',
  ]);
  expect(cloud.violations).toEqual([]);
});

interface Changed {
  body: unknown;
  readonly headers: Record<string, string>;
}

type Change = (request: Changed) => void;

/** A client whose requests are changed before they are signed, and after. */
function changed<T extends { readonly middlewareStack: unknown }>(
  client: T,
  { before, after }: { before?: Change; after?: Change },
): T {
  const stack = client.middlewareStack as { add(step: unknown, where: object): void };
  const step = (change: Change) => (next: (args: { request: Changed }) => unknown) => (args: { request: Changed }) => {
    change(args.request);
    return next(args);
  };
  if (before) stack.add(step(before), { step: 'build' });
  if (after) stack.add(step(after), { step: 'finalizeRequest', priority: 'low' });
  return client;
}

it('knows a request that was changed on the way; bodies may be unsigned for blocks alone, whose checksum guards them', async () => {
  const kit = await startCloudKit();
  const { cloud } = kit;
  const start = new StartSnapshotCommand({ VolumeSize: 1, ClientToken: 'x' });
  const { SnapshotId } = await kit.ebs().send(start);
  const data = Buffer.alloc(BLOCK_SIZE, 1);
  const block = new PutSnapshotBlockCommand({
    SnapshotId,
    BlockIndex: 0,
    BlockData: data,
    DataLength: BLOCK_SIZE,
    Checksum: createHash('sha256').update(data).digest('base64'),
    ChecksumAlgorithm: 'SHA256',
  });
  const flip: Change = (request) => {
    request.body = Buffer.alloc(BLOCK_SIZE, 2);
  };
  const leaveUnsigned: Change = ({ headers }) => {
    headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
  };
  const addHeader: Change = ({ headers }) => {
    headers['x-amz-progress'] = '7';
  };
  const wrong = 'InvalidSignatureException 403';
  expect(await refusalOf(changed(kit.ebs(), { after: flip }).send(block))).toBe(wrong);
  expect(await refusalOf(changed(kit.ebs(), { after: addHeader }).send(block))).toBe(wrong);
  expect(await refusalOf(changed(kit.ebs(), { before: leaveUnsigned, after: flip }).send(block))).toBe(
    'ValidationException INVALID_PARAMETER_VALUE 400',
  );
  expect(await refusalOf(changed(kit.ebs(), { before: leaveUnsigned }).send(block))).toBe('');
  expect(await refusalOf(changed(kit.ebs(), { before: leaveUnsigned }).send(start))).toBe(wrong);
  expect(cloud.violations).toEqual([]);
});

it('harms the nth call of a verb in a region, a whole region, and a share of everything', async () => {
  const kit = await startCloudKit();
  const { cloud } = kit;
  const { faults } = cloud.state;
  const image = await addImage(kit);
  const copy = (Name: string, region = 'eu-west-1') => {
    const source = { SourceRegion: 'us-east-1', SourceImageId: image };
    return refusalOf(kit.ec2(region).send(new CopyImageCommand({ Name, ...source })));
  };
  const broken = { kind: 'error', code: 'InternalError', status: 500 } as const;
  const calm = faults.add({ verb: 'ec2:CopyImage', region: 'eu-west-1', nth: 2, harm: broken });
  const outcomes = [await copy('one'), await copy('other', 'eu-west-2'), await copy('two'), await copy('two')];
  expect(outcomes).toEqual(['', '', 'InternalError 500', '']);
  calm();

  const up = faults.add({ region: 'eu-west-1', harm: { kind: 'cut' } });
  expect(await copy('three')).not.toBe('');
  expect(await copy('three', 'eu-west-2')).toBe('');
  up();
  faults.add({ verb: 'ec2:*', nth: 1, harm: { kind: 'silence' } });
  const client = kit.ec2();
  const abort = AbortSignal.timeout(100);
  await expect(client.send(new DescribeImagesCommand({}), { abortSignal: abort })).rejects.toThrow(/abort/i);
  expect(cloud.requests.filter(({ outcome }) => outcome !== 'done').map(({ outcome }) => outcome)).toEqual([
    'InternalError',
    'cut',
    'silence',
  ]);

  faults.add(throttling(0.3));
  const codes = new Set<string>();
  for (let at = 0; at < 40; at++) codes.add(await refusalOf(client.send(new DescribeImagesCommand({}))));
  expect(codes).toEqual(new Set(['', 'RequestLimitExceeded 503', 'Unavailable 503', 'InternalError 500']));
  expect(cloud.violations).toEqual([]);
});

it('counts requests by the second where a test wants it', async () => {
  const kit = await startCloudKit({ countsQuotas: true });
  const put = (at: number, region?: string) =>
    refusalOf(kit.ssm(region).send(new PutParameterCommand({ Name: `p${at}`, Value: 'x', Type: 'String' })));
  const outcomes: string[] = [];
  for (let at = 0; at < 5; at++) outcomes.push(await put(at));
  expect(outcomes).toEqual(['', '', '', 'ThrottlingException 400', 'ThrottlingException 400']);
  expect(await put(5, 'eu-west-1')).toBe('');
  kit.clock.advance(1000);
  expect(await put(6)).toBe('');
  const started: string[] = [];
  for (let at = 0; at < 11; at++) {
    const start = new StartSnapshotCommand({ VolumeSize: 1, ClientToken: `${at}` });
    started.push(await refusalOf(kit.ebs().send(start)));
  }
  expect(started.slice(-2)).toEqual(['', 'RequestThrottledException ACCOUNT_THROTTLED 400']);
});

it('tells what an account has everywhere, as it truly is', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const image = await addImage(kit);
  kit.clock.advance(HOUR);
  const source = { Name: 'copy', SourceRegion: 'us-east-1', SourceImageId: image };
  const { ImageId } = await kit.ec2('eu-west-1').send(new CopyImageCommand(source));
  await kit.ssm().send(new PutParameterCommand({ Name: 'p', Value: 'x', Type: 'String' }));
  expect(kit.cloud.contents()).toMatchObject({
    images: [
      { region: 'us-east-1', id: image, state: 'available', isPublic: false, sharedWith: [] },
      { region: 'eu-west-1', id: ImageId, state: 'pending' },
    ],
    snapshots: [
      { region: 'us-east-1', state: 'completed', origin: 'direct' },
      { region: 'eu-west-1', state: 'pending', origin: 'copy' },
    ],
    parameters: [{ region: 'us-east-1', name: 'p', value: 'x', version: 1 }],
    instances: [],
    copies: [`eu-west-1/${ImageId}`],
  });
  expect(kit.cloud.contents(kit.cloud.stranger.account)).toMatchObject({ images: [], snapshots: [], parameters: [] });
});
