import { DeregisterImageCommand } from '@aws-sdk/client-ec2';
import {
  AddTagsToResourceCommand,
  DeleteParameterCommand,
  GetParameterCommand,
  GetParameterHistoryCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  LabelParameterVersionCommand,
  ListTagsForResourceCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { addImage, refusalOf, startCloudKit } from './kit.ts';

const MINUTE = 60_000;
const NAME = '/nixos/25.11/arm64';

const put = (client: SSMClient, Value: string, more: Partial<PutParameterCommandInput> = {}) =>
  client.send(new PutParameterCommand({ Name: NAME, Value, Type: 'String', DataType: 'aws:ec2:image', ...more }));

const get = async (client: SSMClient, Name = NAME) => (await client.send(new GetParameterCommand({ Name }))).Parameter;

it('points to an image, by versions and labels', async () => {
  const kit = await startCloudKit();
  const client = kit.ssm();
  const [first, second] = [await addImage(kit), await addImage(kit)];
  expect(await put(client, first, { Tags: [{ Key: 'a', Value: 'b' }] })).toMatchObject({
    Version: 1,
    Tier: 'Standard',
  });
  expect(await refusalOf(put(client, second))).toBe('ParameterAlreadyExists 400');
  expect(await put(client, second, { Overwrite: true })).toMatchObject({ Version: 2 });
  expect(await get(client)).toMatchObject({ Value: second, Version: 2, DataType: 'aws:ec2:image', Type: 'String' });
  await client.send(new LabelParameterVersionCommand({ Name: NAME, ParameterVersion: 1, Labels: ['previous'] }));
  expect([await get(client, `${NAME}:previous`), await get(client, `${NAME}:1`)]).toMatchObject([
    { Value: first, Selector: ':previous' },
    { Value: first },
  ]);
  expect(await refusalOf(get(client, `${NAME}:3`))).toBe('ParameterVersionNotFound 400');
  const history = await client.send(new GetParameterHistoryCommand({ Name: NAME }));
  expect(history.Parameters?.map(({ Value, Labels }) => [Value, Labels])).toEqual([
    [first, ['previous']],
    [second, undefined],
  ]);
  const tags = { ResourceType: 'Parameter' as const, ResourceId: NAME };
  await client.send(new AddTagsToResourceCommand({ ...tags, Tags: [{ Key: 'c', Value: 'd' }] }));
  expect((await client.send(new ListTagsForResourceCommand(tags))).TagList).toHaveLength(2);
  expect(await refusalOf(get(kit.ssm('eu-west-1')))).toBe('ParameterNotFound 400');
  await client.send(new DeleteParameterCommand({ Name: NAME }));
  expect(await refusalOf(client.send(new DeleteParameterCommand({ Name: NAME })))).toBe('ParameterNotFound 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('says yes, and later drops a value that names no image', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const client = kit.ssm();
  const image = await addImage(kit);
  kit.clock.advance(10 * MINUTE);
  await put(client, image);
  expect(await refusalOf(get(client))).toBe('ParameterNotFound 400');
  expect(await refusalOf(put(client, image, { Overwrite: true }))).toBe('TooManyUpdates 400');
  kit.clock.advance(MINUTE);
  await refusalOf(get(client));
  kit.clock.advance(MINUTE);
  expect(await get(client)).toMatchObject({ Value: image, Version: 1 });
  expect(await put(client, 'ami-00000000', { Overwrite: true })).toMatchObject({ Version: 2 });
  kit.clock.advance(5 * MINUTE);
  expect(await get(client)).toMatchObject({ Value: image, Version: 1 });
  // Nobody may look at images who may not describe them.
  kit.cloud.admin.denied.add('ec2:DescribeImages');
  await put(client, image, { Overwrite: true });
  kit.clock.advance(5 * MINUTE);
  expect((await get(client))?.Version).toBe(1);
  kit.cloud.admin.denied.clear();
  await kit.ec2().send(new DeregisterImageCommand({ ImageId: image }));
  await put(client, image, { Overwrite: true });
  kit.clock.advance(5 * MINUTE);
  expect((await get(client))?.Version).toBe(1);
  expect(kit.cloud.violations).toEqual([]);
});

it('is read late', async () => {
  const kit = await startCloudKit({ lags: 'longest' });
  const client = kit.ssm();
  const plain = { DataType: 'text', Overwrite: true };
  await put(client, 'one', plain);
  kit.clock.advance(MINUTE);
  await put(client, 'two', plain);
  const seen = new Set<string | undefined>();
  for (let at = 0; at < 12; at++) seen.add((await get(client))?.Value);
  expect(seen).toEqual(new Set(['one', 'two']));
});

it('refuses names, values and changes of the data type', async () => {
  const kit = await startCloudKit();
  const client = kit.ssm();
  const image = await addImage(kit);
  const attempt = (more: Partial<PutParameterCommandInput>) => refusalOf(put(client, image, more));
  expect(await attempt({ Name: '/aws/service/x' })).toBe('ValidationException 400');
  expect(await attempt({ Name: 'a/b' })).toBe('ValidationException 400');
  expect(await attempt({ Name: '/a'.repeat(16) })).toBe('HierarchyLevelLimitExceededException 400');
  expect(await attempt({ Value: 'ami-x' })).toBe('ValidationException 400');
  expect(await attempt({ DataType: 'aws:s3' })).toBe('ValidationException 400');
  expect(await attempt({ Value: 'x'.repeat(4097), DataType: 'text' })).toBe('ValidationException 400');
  expect(await attempt({})).toBe('');
  expect(await attempt({ DataType: 'text', Overwrite: true })).toBe('ValidationException 400');
  expect(await refusalOf(client.send(new PutParameterCommand({ Name: NAME, Value: image, Overwrite: true })))).toBe(
    'ValidationException 400',
  );
  expect(await attempt({ Overwrite: true, Tags: [] })).toBe('ValidationException 400');
  expect(kit.cloud.violations).toEqual([]);
});

it('comes by paths, in pages', async () => {
  const kit = await startCloudKit({ lags: 'reported', seed: 5 });
  const client = kit.ssm();
  const names = Array.from({ length: 25 }, (_, at) => `/a/${String(at).padStart(2, '0')}`);
  for (const Name of [...names, '/a/b/c', '/ab']) await put(client, 'x', { Name, DataType: 'text' });
  kit.clock.advance(MINUTE);
  const found: (string | undefined)[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new GetParametersByPathCommand({ Path: '/a', NextToken }));
    found.push(...(page.Parameters ?? []).map(({ Name }) => Name));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  expect(found).toEqual(names);
  const { Parameters, InvalidParameters } = await client.send(new GetParametersCommand({ Names: ['/ab', '/none'] }));
  expect([Parameters?.length, InvalidParameters]).toEqual([1, ['/none']]);
  expect(kit.cloud.violations).toEqual([]);
});
