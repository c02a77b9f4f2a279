import type { Cloud } from '../aws/cloud.ts';
import type { InstanceApi, InstanceRecord, InstanceStart } from '../aws/instance-api.ts';
import { isRefused } from '../aws/refusal.ts';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { plainLine } from '../core/printable.ts';
import type { System } from '../oci/system.ts';
import { clientToken } from './content.ts';
import { lookUntil, SETTLING, whilePassing } from './settle.ts';

/** @internal How an AMI is tried. */
export interface SmokeTestTools extends Pick<Effects, 'clock' | 'log' | 'signal'> {
  readonly cloud: Pick<Cloud, 'instances' | 'renew'>;
  /** Names the run, so that each has instances of its own. */
  readonly run: string;
  /** Milliseconds until the marker must have come. */
  readonly limit: number;
  /** Text on the console that says that it is up; undefined for a login prompt, or systemd's multi-user target. */
  readonly marker: string | undefined;
  /** Undefined for the account's default network. */
  readonly subnet: string | undefined;
}

interface Tried {
  readonly region: string;
  readonly imageId: string;
  readonly system: System;
}

/** When the instance of a smoke test is over at the latest, RFC 3339: whoever finds it after that terminates it. */
const OVER = 'nix-images:smoke-test-until';

/** Milliseconds for which a test may go on after its limit: until its instance is terminated. */
const MARGIN = 900_000;

/** The cheapest first; all of the Nitro system, of which alone the console is told at once. Not every region has each (EC2 user guide, "Instance types by Region"). */
const TYPES: Readonly<Record<System, readonly string[]>> = {
  'x86_64-linux': ['t3a.nano', 't3.nano', 't3.micro', 't3.small', 'm5.large'],
  'aarch64-linux': ['t4g.nano', 't4g.micro', 't4g.small', 'm6g.medium'],
};

/** Reasons for which another type may be had (EC2 API reference, error codes). */
const NO_MACHINE = ['InsufficientInstanceCapacity', 'Unsupported', 'InsufficientFreeAddressesInSubnet'];

const UP = [/^(?!Last )(?:[\w.()-]+ )?login: /m, /Reached target (?:.* - )?(?:multi-user\.target|Multi-User System)/];

/** What nothing comes after. */
const BROKEN = /Kernel panic - not syncing|You are in emergency mode|Entering emergency mode/;

/** Lines of the console that an error shows. */
const SHOWN = 15;

/**
 * Starts the smallest instance that there is from an AMI, waits until its console says that it is up, and terminates it, whatever happens. It has no key and no way in but
 * that of the network's default security group. Terminates what an earlier run that was killed has left. Throws UserError `test` where the AMI does not come up, and as EC2 does.
 */
export async function smokeTest(tried: Tried, tools: SmokeTestTools): Promise<void> {
  const { region, imageId } = tried;
  const { cloud, log, clock } = tools;
  await terminateLeft(region, tools);
  const token = clientToken('smoke-test', region, imageId, tools.run);
  const instance = await start(tried, token, tools);
  log.info(`${region}: ${instance} runs ${imageId}`);
  const failure = await awaitMarker(cloud.instances(region), tried, instance, tools).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  // By clients that the end of the run does not stop.
  if (tools.signal.aborted) cloud.renew();
  try {
    await terminate(cloud.instances(region), region, instance, clock);
  } catch (error) {
    if (failure?.error instanceof UserError) log.warn(failure.error.message);
    throw error;
  }
  if (failure) throw failure.error;
  log.info(`${region}: ${imageId} is up`);
}

/** The instance that a smoke test starts where every type is to be had. */
export const smokeInstance = (
  { imageId, system }: Pick<Tried, 'imageId' | 'system'>,
  { subnet, until, token }: { readonly subnet: string | undefined; readonly until: number; readonly token: string },
): InstanceStart => ({
  ...{ imageId, subnet },
  type: TYPES[system][0] ?? '',
  clientToken: token,
  tags: { Name: `smoke test of ${imageId}`, [OVER]: new Date(until).toISOString() },
});

async function terminateLeft(region: string, { cloud, clock, log }: SmokeTestTools): Promise<void> {
  const api = cloud.instances(region);
  for (const { id, state, tags } of await api.instances({ tagged: OVER })) {
    const over = Date.parse(tags.get(OVER) ?? '');
    if (isEnding(state) || Number.isNaN(over) || over > clock.now()) continue;
    log.warn(`${region}: terminating ${id}, which an earlier smoke test has left`);
    await terminate(api, region, id, clock);
  }
}

const isEnding = (state: string): boolean => state === 'shutting-down' || state === 'terminated';

async function start({ region, imageId, system }: Tried, token: string, tools: SmokeTestTools): Promise<string> {
  const { cloud, clock, signal, subnet } = tools;
  const api = cloud.instances(region);
  const types = await api.offered(TYPES[system]);
  if (types.length === 0)
    throw new UserError('aws', `${region} has none of ${TYPES[system].join(', ')} to test ${imageId} on`, {
      hint: 'Put another region first, or leave the smoke test out.',
    });
  const until = clock.now() + tools.limit + MARGIN;
  let last: unknown;
  for (const type of types) {
    const typeToken = clientToken(token, type);
    try {
      const request = { ...smokeInstance({ imageId, system }, { subnet, until, token: typeToken }), type };
      // Reads may be older than the moment in which the AMI was seen to be available.
      const isUnknown = (error: unknown): boolean =>
        isRefused(error, 'InvalidAMIID.NotFound', 'InvalidAMIID.Unavailable');
      return await whilePassing(() => api.start(request), isUnknown, SETTLING, { clock, signal });
    } catch (error) {
      if (isRefused(error, ...NO_MACHINE)) {
        last = error;
        continue;
      }
      await terminateUnanswered(region, typeToken, tools);
      throw explained(error);
    }
  }
  throw last;
}

/** An instance whose answer was lost, or came too late, is there all the same. */
async function terminateUnanswered(
  region: string,
  token: string,
  { cloud, clock, signal }: SmokeTestTools,
): Promise<void> {
  if (signal.aborted) cloud.renew();
  const api = cloud.instances(region);
  const found = await lookUntil(
    async () => {
      const list = await api.instances({ clientToken: token });
      return list.length > 0 ? list : undefined;
    },
    UNSEEN,
    { clock, signal: undefined },
  );
  for (const { id } of found ?? []) await terminate(api, region, id, clock);
}

/** Milliseconds after which an instance that was started is on lists (EC2 API reference, "Eventual consistency"). */
const UNSEEN = 60_000;

/** Accounts without a default network say so in several words. */
function explained(error: unknown): unknown {
  if (!isRefused(error, 'VPCIdNotSpecified', 'MissingInput', 'DefaultVpcDoesNotExist')) return error;
  return new UserError('aws', error.message, {
    hint: 'The account has no default network in this region: name a subnet for the smoke test.',
    docs: 'ami-lifecycle.md#smoke-test',
    cause: error,
  });
}

async function awaitMarker(
  api: InstanceApi,
  { region, imageId }: Tried,
  id: string,
  tools: SmokeTestTools,
): Promise<void> {
  const { clock, signal, limit, marker } = tools;
  let text = '';
  const isUp = (): boolean => (marker === undefined ? UP.some((one) => one.test(text)) : text.includes(marker));
  const fail = (why: string): UserError =>
    new UserError('test', `${imageId} does not come up in ${region}: ${why}${shown(text)}`, {
      hint: 'Look at the console above; a test of the disk in QEMU (tests.boot) shows more, and sooner.',
      docs: 'ami-lifecycle.md#smoke-test',
    });
  const ended = await lookUntil<true>(
    async () => {
      // State before console: what a machine that has ended by then has said is all there is.
      const [now] = await api.instances({ id });
      text = (await consoleOf(api, id)) || text;
      if (isUp()) return true;
      const broken = BROKEN.exec(text);
      if (broken) throw fail(`its console says ${JSON.stringify(broken[0])}`);
      if (now !== undefined && !['pending', 'running'].includes(now.state)) throw fail(endOf(now));
      return undefined;
    },
    limit,
    { clock, signal },
  );
  if (ended === undefined)
    throw fail(`its console has no ${marker ?? 'login prompt'} after ${Math.round(limit / 60_000)} min`);
}

const endOf = ({ id, state, reason }: InstanceRecord): string =>
  `${id} is ${state}${reason === undefined ? '' : `: ${reason}`}`;

/** One that has just been started may be unknown for a while. */
async function consoleOf(api: InstanceApi, id: string): Promise<string> {
  try {
    return await api.console(id);
  } catch (error) {
    if (isRefused(error, 'InvalidInstanceID.NotFound')) return '';
    throw error;
  }
}

function shown(text: string): string {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(-SHOWN);
  return lines.length === 0
    ? '; its console says nothing'
    : `\n${lines.map((line) => `  ${plainLine(line)}`).join('\n')}`;
}

/** Terminates an instance and looks whether it is so. Throws UserError `aws` with the command where it is not. */
async function terminate(api: InstanceApi, region: string, id: string, clock: SmokeTestTools['clock']): Promise<void> {
  const waiting = { clock, signal: undefined };
  try {
    const isUnknown = (error: unknown): boolean => isRefused(error, 'InvalidInstanceID.NotFound');
    await whilePassing(() => api.terminate(id), isUnknown, SETTLING, waiting);
    const isGone = await lookUntil(
      async () => {
        const [now] = await api.instances({ id });
        return now === undefined || isEnding(now.state) ? true : undefined;
      },
      SETTLING,
      waiting,
    );
    if (isGone) return;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw stillThere(region, id, error);
  }
  throw stillThere(region, id);
}

const stillThere = (region: string, id: string, cause?: UserError): UserError =>
  new UserError('aws', `${id} of a smoke test is still there in ${region}${cause ? `: ${cause.message}` : ''}`, {
    hint: `Terminate it: aws ec2 terminate-instances --region ${region} --instance-ids ${id}`,
    cause,
  });
