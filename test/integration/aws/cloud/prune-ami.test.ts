import {
  DeregisterImageCommand,
  EnableImageDeregistrationProtectionCommand,
  ModifyImageAttributeCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { expect, it } from 'vitest';
import { openAmiPlaces, parseAmiPlaces } from '../../../../src/commands/ami-places.ts';
import { parseKeepLast, parseMaxAge } from '../../../../src/prune/policy.ts';
import { type Pruned, prunePlace } from '../../../../src/prune/prune.ts';
import { prunedText } from '../../../../src/prune/report.ts';
import { type Identity, variablesOf } from '../../../emulators/aws/cloud/identities.ts';
import type { Snapshot } from '../../../emulators/aws/ebs/snapshot.ts';
import { runCli } from '../../../support/cli.ts';
import { addRelease, cloudOf, DAY, HOME, OTHER, REGIONS, tagsOf, worldOf } from './amis.ts';
import { addSnapshot, type CloudKit, startCloudKit } from './kit.ts';

const POINTER = '/images/server/stable';

const release = (kit: CloudKit, version: string, regions?: readonly string[], tags?: ReadonlyMap<string, string>) =>
  addRelease(kit, version, { ...(regions === undefined ? {} : { regions }), ...(tags === undefined ? {} : { tags }) });

const orphan = (kit: CloudKit, more: Partial<Snapshot> = {}, region = HOME): string =>
  addSnapshot(kit, region, { tags: tagsOf('1', { 'nix-images:content': 'nobody' }), ...more }).id;

interface Asked {
  readonly keepLast?: string;
  readonly maxAge?: string;
  readonly untagged?: number;
  readonly used?: number;
  readonly keepHistory?: number;
  readonly dryRun?: boolean;
  readonly unprotect?: boolean;
  readonly force?: boolean;
  /** Days of grace for each step. */
  readonly grace?: readonly [number, number];
  readonly place?: string;
  readonly identity?: Identity;
}

async function prune(kit: CloudKit, asked: Asked = {}): Promise<Pruned[]> {
  const { keepLast = '1', maxAge, keepHistory = 1, grace = [30, 14] } = asked;
  const { clock } = kit;
  const world = worldOf(kit);
  const [deprecatedFor, disabledFor] = [grace[0] * DAY, grace[1] * DAY];
  const options = { deprecatedFor, disabledFor, keepHistory, unprotect: asked.unprotect ?? false };
  const where = parseAmiPlaces(asked.place ?? `ami:*@${REGIONS.join(',')}`);
  const places = await openAmiPlaces(where, options, { ...world, cloud: cloudOf(kit, asked.identity), clock }, HOME);
  const done: Pruned[] = [];
  for (const place of places)
    done.push(
      await prunePlace(place, {
        ...{ askPulls: async () => new Map(), limit: 100, log: world.log, clock },
        ...{ dryRun: asked.dryRun ?? false, force: asked.force ?? false },
        policy: {
          ...{ keepTags: [], closedPreviews: false, keepHistory, used: asked.used, untagged: asked.untagged },
          keepLast: [parseKeepLast(keepLast)],
          maxAge: maxAge === undefined ? [] : [parseMaxAge(maxAge)],
        },
      }),
    );
  expect(kit.cloud.violations).toEqual([]);
  return done;
}

/** Versions that are there with their states, and how many snapshots: `1:available 2:disabled +4`. */
function stateOf({ cloud }: CloudKit): string {
  const { images, snapshots } = cloud.contents();
  const states = images.map(({ tags, state }) => `${tags['nix-images:version']}:${state}`);
  return [...new Set(states.sort()), `+${snapshots.length}`].join(' ');
}

const whyOf = ([pruned]: readonly Pruned[], version: string): string | undefined =>
  pruned?.decisions.find(({ item }) => item.names.includes(version))?.why;

// Some thirty runs, each of a dozen requests that AWS's client signs.
it('deprecates what is old, then disables it, then deregisters it with its snapshots, in all regions', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2', '3']) await release(kit, version);
  const requests = kit.cloud.requests.length;
  const [planned] = await prune(kit, { dryRun: true });
  expect(prunedText(planned as Pruned)).toContain('would remove 0 AMIs, 0 B; would deprecate 2; would keep 3 AMIs');
  expect(kit.cloud.requests.slice(requests).every(({ verb }) => /:(?:Describe|GetParameter)/.test(verb))).toBe(true);

  const [first] = await prune(kit);
  expect(prunedText(first as Pruned)).toContain('removed 0 AMIs, 0 B; deprecated 2; kept 3 AMIs');
  expect(kit.cloud.contents().images.filter(({ isDeprecatedLater }) => isDeprecatedLater)).toHaveLength(4);
  kit.clock.advance(29 * DAY);
  expect(whyOf(await prune(kit), '1')).toContain('deprecated 4w ago; the next step comes after 4w');
  kit.clock.advance(2 * DAY);
  const [second] = await prune(kit);
  expect(prunedText(second as Pruned)).toContain('disabled 2');
  expect(stateOf(kit)).toBe('1:disabled 2:disabled 3:available +6');
  kit.clock.advance(13 * DAY);
  expect(whyOf(await prune(kit), '1')).toContain('disabled 1w ago');
  expect(stateOf(kit)).toBe('1:disabled 2:disabled 3:available +6');
  kit.clock.advance(2 * DAY);
  const [last] = await prune(kit);
  expect(prunedText(last as Pruned)).toContain('removed 2 AMIs, 8.6 GB; kept 1 AMI');
  expect(last?.freed).toBe(8 * 1024 ** 3);
  expect(stateOf(kit)).toBe('3:available +2');
  expect((await prune(kit))[0]?.outcomes).toEqual([]);
});

it('leaves steps out that have no time, and goes by age', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2', '3']) await release(kit, version);
  await prune(kit, { maxAge: '3d', grace: [0, 5] });
  expect(stateOf(kit)).toBe('1:disabled 2:available 3:available +6');
  await prune(kit, { maxAge: '3d', grace: [0, 0] });
  expect(stateOf(kit)).toBe('2:available 3:available +4');
  await expect(prune(kit, { keepLast: '0', grace: [0, 0] })).rejects.toThrow('the policy leaves no AMI in ami:server');
  await prune(kit, { keepLast: '0', grace: [0, 0], force: true });
  expect(stateOf(kit)).toBe('+0');
});

it('keeps what anything of the account uses in any region, and what its parameters meant before', async () => {
  const kit = await startCloudKit();
  const ids = [];
  for (const version of ['1', '2', '3', '4', '5', '6']) ids.push(await release(kit, version));
  const [started, templated, before, pointed] = ids;
  const put = (value = '') =>
    kit.ssm(OTHER).send(
      new PutParameterCommand({
        ...{ Name: POINTER, Value: value, Type: 'String', DataType: 'aws:ec2:image', Overwrite: true },
      }),
    );
  const ImageId = started?.[0] ?? '';
  const run = new RunInstancesCommand({ ImageId, InstanceType: 't3.nano', MinCount: 1, MaxCount: 1 });
  const { Instances: [instance] = [] } = await kit.ec2().send(run);
  // An old version of a launch template, which EC2 does not look at of its own.
  const versions = [...Array.from({ length: 30 }, () => 'ami-00000000'), templated?.[1] ?? ''];
  kit.cloud.state.region(OTHER).launchTemplates.set('arn:aws:ec2:eu-central-1:1:launch-template/lt-1', versions);
  await put(before?.[1]);
  await put(pointed?.[1]);
  const all = { grace: [0, 0] as const };
  const done = await prune(kit, all);
  expect(stateOf(kit)).toBe('1:available 2:available 3:available 4:available 6:available +10');
  expect(['1', '2', '3', '4'].map((version) => whyOf(done, version))).toEqual([
    `instance ${instance?.InstanceId} in us-east-1 uses ${ImageId}`,
    `launch template lt-1 in eu-central-1 uses ${templated?.[1]}`,
    `history of ${POINTER} in eu-central-1`,
    `parameter ${POINTER} in eu-central-1 uses ${pointed?.[1]}`,
  ]);
  await kit.ec2().send(new TerminateInstancesCommand({ InstanceIds: [instance?.InstanceId ?? ''] }));
  kit.clock.advance(DAY);
  await prune(kit, { ...all, keepHistory: 0 });
  expect(stateOf(kit)).toBe('2:available 4:available 6:available +6');
});

it('refuses where it may not ask what is in use, with the statement that allows it', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2']) await release(kit, version);
  const { account, partition, arn } = kit.cloud.admin;
  const limited = kit.cloud.state.identities.open({ account, partition, arn }, ['ec2:DescribeImageReferences']);
  await expect(prune(kit, { identity: limited, grace: [0, 0] })).rejects.toMatchObject({
    code: 'credentials',
    hint: expect.stringContaining('ec2:DescribeImageReferences'),
  });
  expect(stateOf(kit)).toBe('1:available 2:available +4');
});

it('keeps what was launched lately, by whomever; what nobody has launched has no time', async () => {
  const kit = await startCloudKit();
  const [[image = '']] = [await release(kit, '1'), await release(kit, '2'), await release(kit, '3')];
  kit.cloud.state.region(HOME).images.forEach((one, id) => {
    if (id === image) one.lastLaunched = kit.clock.now();
  });
  kit.clock.advance(6 * DAY);
  const asked = { used: 7 * DAY, grace: [0, 0] as const };
  expect(whyOf(await prune(kit, asked), '1')).toBe('it was used 6d ago');
  expect(stateOf(kit)).toBe('1:available 3:available +4');
  kit.clock.advance(3 * DAY);
  await prune(kit, asked);
  expect(stateOf(kit)).toBe('3:available +2');
});

it('tells of protection from deregistration, and ends it when that is asked for', async () => {
  const kit = await startCloudKit();
  const [[image = '']] = [await release(kit, '1', [HOME]), await release(kit, '2', [HOME])];
  const protect = new EnableImageDeregistrationProtectionCommand({ ImageId: image, WithCooldown: true });
  await kit.ec2().send(protect);
  const now = { grace: [0, 0] as const };
  expect(whyOf(await prune(kit, now), '1')).toBe(
    `${image} in us-east-1 is protected from deregistration: --unprotect ends that`,
  );
  const [cooling] = await prune(kit, { ...now, unprotect: true });
  expect(cooling?.outcomes[0]).toMatchObject({ kind: 'kept', why: expect.stringMatching(/is protected from dereg/) });
  expect(stateOf(kit)).toBe('1:available 2:available +2');
  kit.clock.advance(DAY + 1);
  await prune(kit, now);
  expect(stateOf(kit)).toBe('2:available +1');
});

it('sees only what has our tags and is our own', async () => {
  const kit = await startCloudKit();
  await release(kit, '1', [HOME], new Map([['Name', 'by hand']]));
  await release(kit, '1', [HOME], tagsOf('1', { 'nix-images:image': 'other' }));
  const [foreign = ''] = await release(kit, '7', [HOME]);
  const { images } = kit.cloud.state.region(HOME);
  const found = images.get(foreign);
  if (found) images.set(foreign, { ...found, owner: kit.cloud.stranger.account });
  for (const version of ['2', '3']) await release(kit, version);
  const [server] = await prune(kit, { place: `ami:server@${HOME}`, grace: [0, 0] });
  expect(server?.name).toBe('ami:server for x86_64-linux');
  expect(server?.outcomes.map(({ decision }) => decision.item.names)).toEqual([['2']]);
  expect(
    kit.cloud
      .contents()
      .images.map(({ name, region }) => `${region} ${name.split(' ')[1]}`)
      .sort(),
  ).toEqual([...['eu-central-1 2', 'eu-central-1 3', 'us-east-1 1', 'us-east-1 1', 'us-east-1 3']]);
  // All images: each keeps its newest.
  expect((await prune(kit, { grace: [0, 0], dryRun: true })).map(({ name }) => name)).toEqual([
    ...['ami:other for x86_64-linux', 'ami:server for x86_64-linux'],
  ]);
});

it('removes snapshots that no AMI is made of, when they are old, whole and not what the next upload builds upon', async () => {
  const kit = await startCloudKit();
  const old = orphan(kit);
  const pending = orphan(kit, { state: 'pending', timeout: 1e12 });
  const failed = orphan(kit, { state: 'error' });
  const foreign = orphan(kit, { tags: new Map([['Name', 'by hand']]) });
  await release(kit, '1', [HOME]);
  const copied = tagsOf('2', { 'nix-images:content': 'copied' });
  await release(kit, '2', [HOME], copied);
  const last = kit.cloud.contents().images.find(({ tags }) => tags['nix-images:version'] === '2');
  // As a copy that is under way: EC2 does not tell its snapshots yet.
  const { images } = kit.cloud.state.region(HOME);
  const image = images.get(last?.id ?? '');
  if (image) images.set(image.id, { ...image, readyAt: kit.clock.now() + 30 * DAY });
  const newest = orphan(kit);
  kit.clock.advance(8 * DAY);
  const young = orphan(kit, { startedAt: kit.clock.now() - DAY, state: 'error' });
  const [done] = await prune(kit, { untagged: 7 * DAY });
  const removed = done?.outcomes.filter(({ step }) => step === undefined) ?? [];
  expect(removed.map(({ decision }) => decision.item.id).sort()).toEqual(
    [`${HOME}/${old}`, `${HOME}/${failed}`].sort(),
  );
  const left = kit.cloud.contents().snapshots.map(({ id }) => id);
  expect(left).toEqual(expect.arrayContaining([pending, foreign, newest, young]));
  expect(left).toHaveLength(6);
  expect(done?.decisions.find(({ item }) => item.id.endsWith(newest))?.why).toContain('the next upload');
  expect(done?.decisions.find(({ item }) => item.id.endsWith(pending))?.why).toBe('it is still written');
});

it('removes AMIs that were never published, but neither a copy under way nor what somebody has', async () => {
  const kit = await startCloudKit();
  const unpublished = (version: string) => {
    const tags = tagsOf(version);
    tags.delete('nix-images:run');
    return release(kit, version, [HOME], tags);
  };
  await release(kit, '1', [HOME]);
  await unpublished('2');
  const [shown = ''] = await unpublished('3');
  await kit
    .ec2()
    .send(new ModifyImageAttributeCommand({ ImageId: shown, LaunchPermission: { Add: [{ Group: 'all' }] } }));
  await prune(kit, { untagged: 7 * DAY });
  expect(stateOf(kit)).toBe('1:available 2:available 3:available +3');
  kit.clock.advance(7 * DAY);
  await prune(kit, { untagged: 7 * DAY });
  expect(stateOf(kit)).toBe('1:available 3:available +2');
});

it('ends what a run that was killed has begun, and waits for snapshots that are in use a while longer', async () => {
  const kit = await startCloudKit({ lags: 'reported', random: () => 0.1 });
  const [[image = '']] = [await release(kit, '1', [HOME]), await release(kit, '2', [HOME])];
  kit.clock.advance(DAY);
  await prune(kit, { grace: [0, 0] });
  expect(kit.cloud.requests.filter(({ outcome }) => outcome === 'InvalidSnapshot.InUse').length).toBeGreaterThan(0);
  expect(stateOf(kit)).toBe('2:available +1');

  await release(kit, '3', [HOME]);
  kit.clock.advance(DAY);
  const stop = kit.cloud.state.faults.add({
    verb: 'ec2:DeleteSnapshot',
    harm: { kind: 'error', code: 'UnauthorizedOperation' },
  });
  const [cut] = await prune(kit, { grace: [0, 0] });
  expect(cut?.error?.message).toContain('1 of 1 snapshots are still there');
  stop();
  expect(stateOf(kit)).toBe('3:available +2');
  kit.clock.advance(DAY);
  // No rule is about snapshots here.
  await prune(kit, { grace: [0, 0] });
  expect(stateOf(kit)).toBe('3:available +1');
  expect(
    await kit
      .ec2()
      .send(new DeregisterImageCommand({ ImageId: image }))
      .catch(({ name }) => name),
  ).toMatch(/InvalidAMIID/);
});

it('goes on in the other regions where one does not answer, and tells', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2']) await release(kit, version);
  kit.cloud.state.faults.add({ verb: 'ec2:*', region: OTHER, harm: { kind: 'error', code: 'OutOfOrder' } });
  const [done] = await prune(kit, { grace: [0, 0] });
  expect(done?.error?.message).toContain('nothing was done in eu-central-1: cannot list');
  // It is in the region that nobody could look at, so it is not gone.
  expect(done?.outcomes.map(({ kind, why }) => [kind, why])).toEqual([
    ['kept', expect.stringMatching(/^gone elsewhere, but nothing was done in eu-central-1: cannot list/)],
  ]);
  expect(
    kit.cloud
      .contents()
      .images.map(({ region }) => region)
      .sort(),
  ).toEqual([OTHER, OTHER, HOME]);
});

it('does not count as removed what is only in a region that stops answering', async () => {
  const kit = await startCloudKit();
  await release(kit, '1', [OTHER]);
  for (const version of ['2', '3']) await release(kit, version);
  const harm = { kind: 'error', code: 'OutOfOrder' } as const;
  kit.cloud.state.faults.add({ verb: 'ec2:DescribeImageReferences', region: OTHER, harm });
  const [done] = await prune(kit, { grace: [0, 0] });
  expect(done?.error?.message).toContain('nothing was done in eu-central-1');
  const outcomes = done?.outcomes.map(({ decision, kind, why }) => [decision.item.names[0], kind, why]);
  expect(Object.fromEntries(outcomes?.map(([name, ...rest]) => [name, rest]) ?? [])).toEqual({
    '1': ['kept', expect.stringContaining('cannot ask what uses AMIs in eu-central-1')],
    '2': ['kept', expect.stringMatching(/^gone elsewhere, but nothing was done in eu-central-1/)],
  });
});

it('is a kind of place of the command, in all regions that the account uses, with reasons as data', async () => {
  const kit = await startCloudKit();
  for (const version of ['1', '2']) await release(kit, version);
  const env = { ...variablesOf(kit.cloud.admin), AWS_ENDPOINT_URL: kit.cloud.url };
  const run = (...args: string[]) => runCli(['prune', '--keep-last', '1', '--json', ...args], { env });
  const { exitCode, stdout, stderr } = await run('ami:server', '--dry-run');
  expect(stderr).not.toContain('error');
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout).places).toMatchObject([
    { name: 'ami:server for x86_64-linux', kind: 'AMI', rows: [{ action: 'step', step: 'deprecate', names: ['1'] }] },
  ]);
  expect(new Set(kit.cloud.requests.map(({ region }) => region)).size).toBeGreaterThan(10);
  const wrong = await run('ami:server@mars-east-1');
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining('unknown region mars-east-1')]);
  expect((await run('ami:')).stderr).toContain('"ami:" does not name AMIs');
});
