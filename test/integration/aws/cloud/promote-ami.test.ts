import { DisableImageCommand, ModifyImageAttributeCommand } from '@aws-sdk/client-ec2';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { movePointers } from '../../../../src/ami/move-pointers.ts';
import { type PromotionAsked, planMoves } from '../../../../src/ami/plan-moves.ts';
import { pointerHistory } from '../../../../src/ami/pointer-history.ts';
import { variablesOf } from '../../../emulators/aws/cloud/identities.ts';
import { runCli } from '../../../support/cli.ts';
import { addRelease, cloudOf, HOME, OTHER, REGIONS, tagsOf, worldOf } from './amis.ts';
import { type CloudKit, startCloudKit } from './kit.ts';

const TEMPLATE = '/images/{image}/{arch}/stable';
const NAME = '/images/server/x86_64/stable';

async function promote(
  kit: CloudKit,
  version: string | undefined,
  more: Partial<PromotionAsked> = {},
  signal = new AbortController().signal,
) {
  const cloud = cloudOf(kit);
  const planned = await planMoves(cloud, {
    ...{ image: 'server', version, templates: [TEMPLATE], systems: [], regions: REGIONS, isEveryRegion: true },
    ...{ mayCreate: true, mayUnshare: false, ...more },
  });
  const moves = planned.filter(({ isSame }) => !isSame);
  const moved = await movePointers(moves, { ...worldOf(kit), cloud, clock: kit.clock, signal });
  expect(kit.cloud.violations).toEqual([]);
  return { moves, ...moved };
}

/** Versions that the parameter points to, by region. */
const pointed = ({ cloud }: CloudKit): Record<string, string | undefined> => {
  const { images, parameters } = cloud.contents();
  return Object.fromEntries(
    parameters
      .filter(({ name, value }) => name === NAME && value !== undefined)
      .map(({ region, value }) => [region, images.find(({ id }) => id === value)?.tags['nix-images:version']]),
  );
};

const inBoth = (version: string) => ({ [HOME]: version, [OTHER]: version });

it('points parameters to a version in all regions, and back along the promotions', async () => {
  const kit = await startCloudKit({ lags: 'reported' });
  for (const version of ['1', '2', '3', '4']) await addRelease(kit, version);
  for (const version of ['1', '2', '3', '4']) {
    expect(await promote(kit, version)).toMatchObject({ failure: undefined, left: [] });
    kit.clock.advance(60_000);
    expect(pointed(kit)).toEqual(inBoth(version));
  }
  expect((await promote(kit, '4')).moves).toEqual([]);
  for (const version of ['3', '2']) {
    expect((await promote(kit, undefined)).failure).toBeUndefined();
    kit.clock.advance(60_000);
    expect(pointed(kit)).toEqual(inBoth(version));
  }
  // What was rolled back from is passed over: from a promotion after it the way leads to where it began.
  await promote(kit, '4');
  kit.clock.advance(60_000);
  await promote(kit, undefined);
  kit.clock.advance(60_000);
  expect(pointed(kit)).toEqual(inBoth('2'));
  await promote(kit, undefined);
  kit.clock.advance(60_000);
  expect(pointed(kit)).toEqual(inBoth('1'));
  await expect(promote(kit, undefined)).rejects.toThrow(`${NAME} in ${HOME} has nothing to roll back to`);
  const history = await pointerHistory(cloudOf(kit), OTHER, NAME);
  expect(history.map(({ version }) => version)).toEqual(['1', '2', '4', '2', '3', '4', '3', '2', '1']);
});

it('goes back to what a deployment had pointed to, though that says nothing of itself, past what is gone', async () => {
  const kit = await startCloudKit();
  const ids = [];
  for (const version of ['1', '2', '3']) ids.push(await addRelease(kit, version));
  for (const [at, region] of REGIONS.entries())
    for (const release of ids) {
      const Value = release[at] ?? '';
      const put = { Name: NAME, Value, Type: 'String' as const, DataType: 'aws:ec2:image', Overwrite: true };
      await kit.ssm(region).send(new PutParameterCommand(put));
    }
  for (const [at, region] of REGIONS.entries())
    await kit.ec2(region).send(new DisableImageCommand({ ImageId: ids[1]?.[at] ?? '' }));
  await promote(kit, undefined);
  expect(pointed(kit)).toEqual(inBoth('1'));
});

it.each([
  ['refused', { kind: 'error', code: 'ParameterLimitExceeded' }],
  ['answered by nothing', { kind: 'error', code: 'AccessDeniedException' }],
] as const)('leaves all parameters as they were when one is %s', async (_, harm) => {
  const kit = await startCloudKit();
  for (const version of ['1', '2']) await addRelease(kit, version);
  await promote(kit, '1');
  kit.cloud.state.faults.add({ verb: 'ssm:PutParameter', region: OTHER, nth: 1, harm });
  const { failure, left } = await promote(kit, '2');
  expect(failure?.message).toMatch(/^cannot move the parameters, and all parameters are as they were: .*eu-central-1/);
  expect(left).toEqual([]);
  expect(pointed(kit)).toEqual(inBoth('1'));
  // The failed promotion is no step of a rollback.
  await expect(promote(kit, undefined)).rejects.toThrow('nothing to roll back to');
});

it('takes a value back that Systems Manager drops after its answer, and parameters that are new', async () => {
  const kit = await startCloudKit({ lags: 'reported' });
  const ids = await addRelease(kit, '1');
  kit.clock.advance(3_600_000);
  const cloud = cloudOf(kit);
  const real = cloud.ssm(OTHER);
  const asked = { image: 'server', version: '1', templates: [TEMPLATE], systems: [], regions: REGIONS };
  const moves = await planMoves(cloud, { ...asked, isEveryRegion: true, mayCreate: true, mayUnshare: false });
  // The AMI goes between the look and the check of its value.
  const image = kit.cloud.state.region(OTHER).images.get(ids[1] ?? '');
  if (image) kit.cloud.state.region(OTHER).images.set(image.id, { ...image, readyAt: kit.clock.now() + 1e9 });
  const { failure } = await movePointers(moves, { ...worldOf(kit), cloud, clock: kit.clock });
  expect(failure?.message).toContain('Systems Manager dropped it');
  kit.clock.advance(300_000);
  expect(pointed(kit)).toEqual({});
  expect((await real.parameters([NAME])).size).toBe(0);
});

it('goes back where it is cancelled, and leaves alone what somebody else has moved', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2', '3']) await addRelease(kit, version);
  await promote(kit, '1');
  const stop = new AbortController();
  const cloud = cloudOf(kit);
  const asked = { image: 'server', version: '2', templates: [TEMPLATE], systems: [], regions: REGIONS };
  const moves = await planMoves(cloud, { ...asked, isEveryRegion: true, mayCreate: false, mayUnshare: false });
  const third = kit.cloud
    .contents()
    .images.find(({ region, tags }) => region === HOME && tags['nix-images:version'] === '3');
  const info = (text: string): void => {
    if (text.startsWith(HOME)) stop.abort();
  };
  const log = { ...worldOf(kit).log, info };
  const put = {
    Name: NAME,
    Value: third?.id ?? '',
    Type: 'String' as const,
    DataType: 'aws:ec2:image',
    Overwrite: true,
  };
  const renew = cloud.renew.bind(cloud);
  let moving: Promise<unknown> | undefined;
  cloud.renew = () => {
    moving = kit.ssm().send(new PutParameterCommand(put));
    renew();
  };
  const { failure } = await movePointers(moves, { cloud, log, clock: kit.clock, signal: stop.signal });
  await moving;
  expect(failure?.code).toBe('cancelled');
  expect(pointed(kit)[OTHER]).toBe('1');
  expect(['3', '1']).toContain(pointed(kit)[HOME]);
});

it('says in every region what is not ready, before the first parameter moves', async () => {
  const kit = await startCloudKit();
  const [[shared = '']] = [await addRelease(kit, '1')];
  await addRelease(kit, '2');
  await addRelease(kit, '3', { regions: [HOME] });
  await promote(kit, '1');
  const everybody = { ImageId: shared, LaunchPermission: { Add: [{ Group: 'all' as const }] } };
  await kit.ec2().send(new ModifyImageAttributeCommand(everybody));
  await expect(promote(kit, '2')).rejects.toThrow(
    /us-east-1: ami-\w+ may not be used by everybody, as what .* points to may/,
  );
  await expect(promote(kit, '3')).rejects.toThrow('eu-central-1: missing version 3 of server for x86_64-linux');
  await expect(promote(kit, '9')).rejects.toThrow('cannot find version 9 of server');
  await expect(promote(kit, '2', { templates: ['/other'], mayCreate: false })).rejects.toThrow(
    'the parameter /other does not exist',
  );
  const other = { systems: ['aarch64-linux' as const], isEveryRegion: false };
  await expect(promote(kit, '2', other)).rejects.toThrow('cannot find version 2 of server for aarch64-linux');
  await addRelease(kit, '2', { tags: tagsOf('2', { 'nix-images:system': 'aarch64-linux' }) });
  await expect(promote(kit, '2', { templates: ['/one'] })).rejects.toThrow('/one would be the parameter of');
  await kit.ssm(OTHER).send(new PutParameterCommand({ Name: '/text', Value: 'x', Type: 'String' }));
  await expect(promote(kit, '2', { templates: ['/text'], systems: ['x86_64-linux'] })).rejects.toThrow(
    'of the type text',
  );
  expect(pointed(kit)).toEqual(inBoth('1'));
  expect((await promote(kit, '2', { mayUnshare: true, systems: ['x86_64-linux'] })).failure).toBeUndefined();
  expect(pointed(kit)).toEqual(inBoth('2'));
});

it('is a command, with a dry run, and another for the history', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2']) await addRelease(kit, version);
  const env = { ...variablesOf(kit.cloud.admin), AWS_ENDPOINT_URL: kit.cloud.url };
  const run = (...args: string[]) => runCli([...args, '--parameter', TEMPLATE], { env });
  const first = await run('promote-ami', 'server', '--ami-version', '1', '--new-parameter', '--json');
  expect([first.exitCode, first.stderr.includes('error')]).toEqual([0, false]);
  expect(JSON.parse(first.stdout)).toMatchObject({ changed: true, pointers: [{ region: OTHER }, { region: HOME }] });
  expect((await run('promote-ami', 'server', '--ami-version', '2', '--dry-run')).stdout).toContain(
    'would move from ami-',
  );
  expect(pointed(kit)).toEqual(inBoth('1'));
  await run('promote-ami', 'server', '--ami-version', '2');
  await run('promote-ami', 'server', '--rollback');
  expect(pointed(kit)).toEqual(inBoth('1'));
  const { stdout } = await run('history-ami', 'server', '--region', HOME);
  expect(stdout.split('\n').map((line) => line.split(/\s+/)[1])).toEqual(['in', 'version', '1', '2', '1', undefined]);
  expect((await run('promote-ami', 'server')).stderr).toContain('no version to promote');
});
