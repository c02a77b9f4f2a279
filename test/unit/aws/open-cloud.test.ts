import { expect, test } from 'vitest';
import { openCloud } from '../../../src/aws/open-cloud.ts';
import { isRefused } from '../../../src/aws/refusal.ts';
import { memoryLog } from '../../support/memory-log.ts';

/** What AWS's own clients make of our calls, and we of what they read: the answers are written as EC2, SSM and STS do. */
function cloudWith(answers: readonly (readonly [number, string] | 'cut')[]) {
  const sent: {
    readonly url: string;
    readonly body: URLSearchParams;
    readonly json: unknown;
    readonly headers: Headers;
  }[] = [];
  const queue = [...answers];
  const env: Readonly<Record<string, string>> = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:9/ssm',
  };
  const cloud = openCloud({
    log: memoryLog(),
    signal: new AbortController().signal,
    env: (name) => env[name],
    fetch: async (url, init) => {
      const text = Buffer.from((init?.body as Uint8Array | undefined) ?? new Uint8Array()).toString();
      const json = text.startsWith('{') ? JSON.parse(text) : undefined;
      sent.push({ url: String(url), body: new URLSearchParams(text), json, headers: new Headers(init?.headers) });
      const answer = queue.shift() ?? [500, ''];
      if (answer === 'cut')
        throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'UND_ERR_SOCKET' }) });
      const [status, body] = answer;
      return new Response(body, { status, headers: { 'x-amzn-requestid': 'request-7' } });
    },
  });
  return { cloud, sent };
}

const ok = (body: string): readonly [number, string] => [200, body];

const refused = (code: string, message: string): readonly [number, string] => [
  400,
  `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>request-7</RequestID></Response>`,
];

test('an AMI is registered with everything that EC2 would get wrong by itself', async () => {
  const { cloud, sent } = cloudWith([ok('<RegisterImageResponse><imageId>ami-1</imageId></RegisterImageResponse>')]);
  const id = await cloud.ec2('eu-central-1').registerImage({
    ...{ name: 'a-1', description: 'A', architecture: 'arm64', bootMode: 'uefi', tpm: true, uefiData: undefined },
    ...{ rootDevice: '/dev/xvda', snapshotId: 'snap-1', tags: { 'nix-images:content': 'sha256:1' } },
  });
  expect(id).toBe('ami-1');
  expect(sent[0]?.url).toBe('https://ec2.eu-central-1.amazonaws.com/');
  expect(Object.fromEntries(sent[0]?.body ?? [])).toMatchObject({
    ...{
      Action: 'RegisterImage',
      Architecture: 'arm64',
      VirtualizationType: 'hvm',
      EnaSupport: 'true',
      ImdsSupport: 'v2.0',
    },
    ...{ SriovNetSupport: 'simple', BootMode: 'uefi', TpmSupport: 'v2.0', RootDeviceName: '/dev/xvda' },
    'BlockDeviceMapping.1.Ebs.SnapshotId': 'snap-1',
    'BlockDeviceMapping.1.Ebs.VolumeType': 'gp3',
    'TagSpecification.1.ResourceType': 'image',
    'TagSpecification.1.Tag.1.Key': 'nix-images:content',
  });
});

test('AMIs are read by pages, an empty one too, disabled ones included', async () => {
  const { cloud, sent } = cloudWith([
    ok('<DescribeImagesResponse><imagesSet/><nextToken>more</nextToken></DescribeImagesResponse>'),
    ok(
      '<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><name>a</name><imageState>failed</imageState>' +
        '<isPublic>true</isPublic><creationDate>2026-01-02T03:04:05.000Z</creationDate><deregistrationProtection>enabled-without-cooldown' +
        '</deregistrationProtection><stateReason><code>Client.Error</code><message>no key</message></stateReason><blockDeviceMapping>' +
        '<item><deviceName>/dev/xvda</deviceName><ebs><snapshotId>snap-1</snapshotId></ebs></item></blockDeviceMapping>' +
        '<tagSet><item><key>k</key><value>v</value></item></tagSet></item></imagesSet></DescribeImagesResponse>',
    ),
  ]);
  expect(await cloud.ec2('us-east-1').images({ tag: 'k', values: ['v', 'w'] })).toEqual([
    {
      ...{ id: 'ami-1', name: 'a', state: 'failed', reason: 'no key', isPublic: true, isProtected: true },
      ...{ created: Date.UTC(2026, 0, 2, 3, 4, 5), deprecated: undefined, snapshots: ['snap-1'] },
      tags: new Map([['k', 'v']]),
    },
  ]);
  expect(Object.fromEntries(sent[0]?.body ?? [])).toMatchObject({
    ...{ IncludeDisabled: 'true', 'Owner.1': 'self', MaxResults: '500' },
    ...{ 'Filter.1.Name': 'tag:k', 'Filter.1.Value.1': 'v', 'Filter.1.Value.2': 'w' },
  });
  expect(sent[1]?.body.get('NextToken')).toBe('more');
});

test('what AWS refuses has its reason, the region and the number of the request', async () => {
  const denied = 'User: arn:aws:iam::1:user/u is not authorized to perform: ec2:CopyImage on resource: *';
  const { cloud } = cloudWith([refused('UnauthorizedOperation', denied), refused('InvalidAMIID.NotFound', 'no ami-1')]);
  const copy = {
    clientToken: 't',
    name: 'a-1',
    description: 'A',
    sourceRegion: 'us-east-1',
    sourceId: 'ami-1',
    tags: {},
  };
  const error = await cloud
    .ec2('eu-central-1')
    .copyImage({ ...copy, kmsKey: undefined, minutes: undefined })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    ...{ code: 'credentials', reason: 'UnauthorizedOperation', requestId: 'request-7' },
    message: expect.stringContaining('in eu-central-1: UnauthorizedOperation'),
    hint: expect.stringContaining('"Action":["ec2:CopyImage"]'),
  });
  const gone = await cloud
    .ec2('eu-central-1')
    .deregisterImage('ami-1')
    .catch((thrown: unknown) => thrown);
  expect(isRefused(gone, 'InvalidAMIID.NotFound')).toBe(true);
});

test('an answer that says less than decisions need is an error, and no guess', async () => {
  const { cloud } = cloudWith([
    ok('<DescribeImagesResponse><imagesSet><item><name>a</name></item></imagesSet></DescribeImagesResponse>'),
  ]);
  await expect(cloud.ec2('us-east-1').images({ ids: ['ami-1'] })).rejects.toMatchObject({ code: 'aws' });
});

test('permissions are given and read', async () => {
  const { cloud, sent } = cloudWith([
    ok('<ModifyImageAttributeResponse><return>true</return></ModifyImageAttributeResponse>'),
    ok(
      '<DescribeImageAttributeResponse><imageId>ami-1</imageId><launchPermission><item><group>all</group></item><item><userId>' +
        '111122223333</userId></item></launchPermission></DescribeImageAttributeResponse>',
    ),
  ]);
  const nobody = { public: false, accounts: [], organizations: [], units: [] };
  const add = { public: true, accounts: ['111122223333'], organizations: ['arn:o'], units: [] };
  await cloud.ec2('us-east-1').shareImage('ami-1', { add, remove: nobody });
  expect(Object.fromEntries(sent[0]?.body ?? [])).toMatchObject({
    ...{ 'LaunchPermission.Add.1.Group': 'all', 'LaunchPermission.Add.2.UserId': '111122223333' },
    'LaunchPermission.Add.3.OrganizationArn': 'arn:o',
  });
  expect(await cloud.ec2('us-east-1').imageSharing('ami-1')).toEqual({
    ...nobody,
    public: true,
    accounts: ['111122223333'],
  });
});

test('a pointer is stored as the id of an AMI, at the endpoint that is given', async () => {
  const { cloud, sent } = cloudWith([
    ok('{"Version":3}'),
    ok(
      '{"Parameters":[{"Name":"/a","Value":"ami-1","Version":3,"DataType":"aws:ec2:image"}],"InvalidParameters":["/b"]}',
    ),
    [400, '{"__type":"ParameterNotFound","message":"none"}'],
  ]);
  const ssm = cloud.ssm('us-east-1');
  expect(await ssm.putImage('/a', 'ami-1')).toBe(3);
  expect(sent[0]?.url).toMatch(/^http:\/\/127\.0\.0\.1:9\/ssm/);
  expect(sent[0]?.json).toMatchObject({ Name: '/a', Value: 'ami-1', DataType: 'aws:ec2:image', Overwrite: true });
  const found = await ssm.parameters(['/a', '/b']);
  expect([...found]).toEqual([['/a', { value: 'ami-1', version: 3, dataType: 'aws:ec2:image' }]]);
  expect(await ssm.history('/none')).toEqual([]);
});

test('a connection that is cut is tried again, with the same client token', async () => {
  const { cloud, sent } = cloudWith(['cut', ok('<CopyImageResponse><imageId>ami-2</imageId></CopyImageResponse>')]);
  const copy = {
    clientToken: 't',
    name: 'a-1',
    description: 'A',
    sourceRegion: 'us-east-1',
    sourceId: 'ami-1',
    tags: {},
  };
  expect(await cloud.ec2('us-east-1').copyImage({ ...copy, kmsKey: undefined, minutes: undefined })).toBe('ami-2');
  expect(sent.map(({ body }) => body.get('ClientToken'))).toEqual(['t', 't']);
});

test('who we are, and clients of their own after a renewal', async () => {
  const { cloud } = cloudWith([
    ok(
      '<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account><Arn>arn:aws:iam::111122223333:role/d</Arn>' +
        '</GetCallerIdentityResult></GetCallerIdentityResponse>',
    ),
  ]);
  expect(await cloud.identity('us-east-1')).toEqual({
    account: '111122223333',
    arn: 'arn:aws:iam::111122223333:role/d',
  });
  const before = cloud.ec2('us-east-1');
  expect(cloud.ec2('us-east-1')).toBe(before);
  cloud.renew();
  expect(cloud.ec2('us-east-1')).not.toBe(before);
});
