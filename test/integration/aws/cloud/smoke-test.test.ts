import { expect, it } from 'vitest';
import { type SmokeTestTools, smokeTest } from '../../../../src/ami/smoke-test.ts';
import type { CloudOptions } from '../../../emulators/aws/cloud/emulator.ts';
import { cloudOf, HOME, worldOf } from './amis.ts';
import { addImage, type CloudKit, startCloudKit } from './kit.ts';

const MINUTE = 60_000;
const BOOT = '[    0.000000] Linux version 6.12\r\n[  OK  ] Reached target Local File Systems.\r\n';
const PROMPT = 'server login: ';

async function start(options: CloudOptions = {}) {
  const kit = await startCloudKit(options);
  const imageId = await addImage(kit, { Architecture: 'x86_64' }, HOME);
  kit.clock.advance(10 * MINUTE);
  // As a machine: it boots for a minute.
  kit.cloud.state.console = ({ now, runsFrom }) => BOOT + (now >= runsFrom + MINUTE ? PROMPT : '');
  return { kit, imageId };
}

const run = (kit: CloudKit, imageId: string, more: Partial<SmokeTestTools> = {}): Promise<void> =>
  smokeTest(
    { region: HOME, imageId, system: 'x86_64-linux' },
    {
      ...{ ...worldOf(kit), cloud: cloudOf(kit), clock: kit.clock, run: 'run-1', limit: 10 * MINUTE },
      ...{ marker: undefined, subnet: undefined, ...more },
    },
  );

/** What is left, and whether anything was wrong in form. */
const left = ({ cloud }: CloudKit): readonly string[] => {
  expect(cloud.violations).toEqual([]);
  return cloud.contents().instances.filter((one) => {
    const [, id = ''] = one.split('/');
    return cloud.state.region(HOME).instances.get(id)?.terminatedAt === undefined;
  });
};

const inputOf = ({ cloud }: CloudKit, at = -1) =>
  cloud.requests.filter(({ verb }) => verb === 'ec2:RunInstances').at(at)?.input;

it('starts the smallest instance of the architecture, waits for a login prompt, and terminates it', async () => {
  const { kit, imageId } = await start({ lags: 'reported' });
  await run(kit, imageId);
  expect(left(kit)).toEqual([]);
  expect(inputOf(kit)).toMatchObject({
    ...{ ImageId: imageId, InstanceType: 't3a.nano', MinCount: 1, MaxCount: 1 },
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: { HttpTokens: 'required' },
    ClientToken: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(Object.keys(inputOf(kit) ?? {})).not.toEqual(expect.arrayContaining(['KeyName']));
  const consoles = kit.cloud.requests.filter(({ verb }) => verb === 'ec2:GetConsoleOutput');
  expect(consoles.every(({ input }) => input.Latest === true)).toBe(true);

  const arm = await addImage(kit, {}, HOME);
  kit.clock.advance(150_000);
  await smokeTest(
    { region: HOME, imageId: arm, system: 'aarch64-linux' },
    {
      ...{ ...worldOf(kit), cloud: cloudOf(kit), clock: kit.clock, run: 'run-1', limit: 10 * MINUTE },
      ...{ marker: 'Local File Systems', subnet: 'subnet-0123456789abcdef0' },
    },
  );
  expect(inputOf(kit)).toMatchObject({ InstanceType: 't4g.nano', SubnetId: 'subnet-0123456789abcdef0' });
  expect(left(kit)).toEqual([]);
});

it('takes the next type where the region does not have one, or has no machine of it', async () => {
  const { kit, imageId } = await start();
  kit.cloud.state.region(HOME).missingTypes.add('t3a.nano');
  kit.cloud.state.region(HOME).fullTypes.add('t3.nano');
  await run(kit, imageId);
  expect(inputOf(kit)?.InstanceType).toBe('t3.micro');
  expect(left(kit)).toEqual([]);
  for (const type of ['t3.nano', 't3.micro', 't3.small']) kit.cloud.state.region(HOME).missingTypes.add(type);
  await expect(run(kit, imageId, { run: 'run-2' })).rejects.toThrow('us-east-1 has none of t3a.nano, t3.nano');
});

const says =
  (text: string) =>
  ({ cloud }: CloudKit): void => {
    cloud.state.console = () => text;
  };

it.each<[string, (kit: CloudKit) => void, RegExp]>([
  ['says nothing of a login', says(BOOT), /no login prompt after 10 min\n.*Linux version/],
  ['says nothing at all', says(''), /after 10 min; its console says nothing/],
  ['panics', says(`${BOOT}Kernel panic - not syncing: VFS`), /its console says "Kernel panic/],
  [
    'ends by itself',
    ({ cloud }) => {
      const message = 'Client.InternalError: Client error on launch';
      cloud.state.instanceFate = (_, at) => ({ at: at + 1000, code: 'Client.InternalError', message });
    },
    /is (?:shutting-down|terminated): Client.InternalError: Client error on launch/,
  ],
])('an AMI whose machine %s has failed, and its instance is terminated', async (_, change, message) => {
  const { kit, imageId } = await start();
  change(kit);
  await expect(run(kit, imageId)).rejects.toThrow(message);
  expect(left(kit)).toEqual([]);
});

it('keeps what was said before when the console has moved on, and shows the end alone', async () => {
  const { kit, imageId } = await start();
  kit.cloud.state.console = () => `${'x'.repeat(70_000)}\n${PROMPT}`;
  await run(kit, imageId);
  kit.cloud.state.console = () => `${PROMPT}\n${'x\n'.repeat(70_000)}`;
  await expect(run(kit, imageId, { run: 'run-2' })).rejects.toThrow('no login prompt');
  expect(left(kit)).toEqual([]);
});

it('terminates the instance when the run is stopped, and when the answer to its start was lost', async () => {
  const { kit, imageId } = await start();
  const stop = new AbortController();
  kit.cloud.state.console = () => {
    stop.abort();
    return BOOT;
  };
  const world = { ...worldOf(kit), signal: stop.signal };
  const { openCloud } = await import('../../../../src/aws/open-cloud.ts');
  await expect(run(kit, imageId, { ...world, cloud: openCloud(world) })).rejects.toMatchObject({ code: 'cancelled' });
  expect(left(kit)).toEqual([]);

  const { kit: other, imageId: image } = await start();
  other.cloud.state.faults.add({ verb: 'ec2:RunInstances', nth: 1, harm: { kind: 'lost' } });
  await run(other, image);
  expect(other.cloud.state.region(HOME).instances.size).toBe(1);
  expect(left(other)).toEqual([]);
});

it('terminates what a run that was killed has left, once its time is over, and not what another run is at', async () => {
  const { kit, imageId } = await start();
  const killed = new Promise<never>(() => {});
  let isStarted = (): void => {};
  const started = new Promise<void>((resolve) => {
    isStarted = resolve;
  });
  kit.cloud.state.console = () => BOOT;
  const sleep = (): Promise<never> => {
    isStarted();
    return killed;
  };
  const clock = { now: () => kit.clock.now(), random: () => 0.5, sleep };
  void run(kit, imageId, { clock });
  await started;
  expect(left(kit)).toHaveLength(1);
  kit.cloud.state.console = () => BOOT + PROMPT;
  await run(kit, imageId, { run: 'run-2' });
  expect(left(kit)).toHaveLength(1);
  kit.clock.advance(26 * MINUTE);
  await run(kit, imageId, { run: 'run-3' });
  expect(left(kit)).toEqual([]);
});

it('tells how to terminate what it cannot, and what to do without a default network', async () => {
  const { kit, imageId } = await start();
  kit.cloud.state.faults.add({
    verb: 'ec2:TerminateInstances',
    harm: { kind: 'error', code: 'UnauthorizedOperation' },
  });
  await expect(run(kit, imageId)).rejects.toMatchObject({
    message: expect.stringMatching(/^i-\w+ of a smoke test is still there in us-east-1: /),
    hint: expect.stringMatching(/aws ec2 terminate-instances --region us-east-1 --instance-ids i-\w+/),
  });
  const { kit: bare, imageId: image } = await start();
  bare.cloud.state.region(HOME).hasDefaultNetwork = false;
  await expect(run(bare, image)).rejects.toMatchObject({ hint: expect.stringContaining('name a subnet') });
});
