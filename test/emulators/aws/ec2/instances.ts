import type {
  DescribeInstancesRequest,
  DescribeInstanceTypeOfferingsRequest,
  DescribeInstanceTypesRequest,
  GetConsoleOutputRequest,
  RunInstancesRequest,
  TerminateInstancesRequest,
} from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { checkFilters, passes, tagFilters } from './filters.ts';
import type { Instance } from './instance.ts';
import { findImage, ready, refused } from './look-up.ts';
import { pageOfIds } from './pages.ts';
import { tagList, tagsFor } from './tag-specification.ts';

const MINUTE = 60_000;

/** Types that are emulated, by architecture; all are of the Nitro system, which wants hvm and ENA. */
const TYPES: Readonly<Record<string, string>> = {
  't3.nano': 'x86_64',
  't3.micro': 'x86_64',
  't3.small': 'x86_64',
  't3a.nano': 'x86_64',
  't4g.nano': 'arm64',
  't4g.micro': 'arm64',
  't4g.small': 'arm64',
};

const CODES = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48 } as const;

type State = keyof typeof CODES;

/** The state at some time; it takes a minute to go down. */
export function instanceState({ runsFrom, terminatedAt, fate }: Instance, now: number): State {
  const end = Math.min(terminatedAt ?? Number.POSITIVE_INFINITY, fate?.at ?? Number.POSITIVE_INFINITY);
  if (now >= end) return now >= end + MINUTE ? 'terminated' : 'shutting-down';
  return now >= runsFrom ? 'running' : 'pending';
}

const stateOf = (name: State): object => ({ Name: name, Code: CODES[name] });

const describe = (instance: Instance, now: number): object => ({
  InstanceId: instance.id,
  ImageId: instance.imageId,
  InstanceType: instance.type,
  Architecture: instance.architecture,
  State: stateOf(instanceState(instance, now)),
  ...(instance.fate && now >= instance.fate.at
    ? { StateReason: { Code: instance.fate.code, Message: instance.fate.message } }
    : {}),
  LaunchTime: new Date(instance.startedAt),
  ClientToken: instance.clientToken,
  Tags: tagList(instance.tags),
});

const reservation = (instances: readonly Instance[], { caller, now }: CloudCall<unknown>): object => ({
  ReservationId: `r-${instances[0]?.id.slice(2)}`,
  OwnerId: caller.account,
  Instances: instances.map((instance) => describe(instance, now)),
});

/** Starts one instance, of an image that its type can run. */
export function runInstances(call: CloudCall<RunInstancesRequest>): object {
  const { input, cloud, region, caller, now } = call;
  const { ImageId = '', InstanceType: type = 'm1.small', ClientToken: token, MinCount, MaxCount } = input;
  const key = `RunInstances ${caller.account} ${token}`;
  const known =
    token !== undefined &&
    region.tokens.find(key, input, now, () => {
      throw refused('IdempotentParameterMismatch', 'The client token was used with other parameters.');
    });
  if (known) {
    const before = region.instances.get((known as { id: string }).id);
    if (before) return reservation([before], call);
  }
  if (MinCount !== 1 || MaxCount !== 1) throw refused('InvalidParameterValue', 'One instance at a time is emulated.');
  const { instance: tags } = tagsFor(input.TagSpecifications, ['instance', 'volume', 'network-interface']);
  const image = findImage(call, ImageId);
  if (image === undefined || image.gone)
    throw refused('InvalidAMIID.Unavailable', `The image ID '${ImageId}' is no longer available`);
  ready(image, now);
  if (region.missingTypes.has(type))
    throw refused('Unsupported', `Your requested instance type (${type}) is not supported in this region.`);
  if (region.fullTypes.has(type))
    throw refused('InsufficientInstanceCapacity', `We currently do not have sufficient ${type} capacity.`);
  if (input.SubnetId === undefined && !region.hasDefaultNetwork)
    throw refused(
      'VPCIdNotSpecified',
      'No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.',
    );
  const architecture = TYPES[type];
  if (architecture === undefined) throw refused('Unsupported', `The instance type ${type} is not emulated.`);
  if (image.architecture !== architecture) {
    throw refused(
      'InvalidParameterValue',
      `The architecture '${architecture}' of the specified instance type does not match the architecture '${image.architecture}' of the specified AMI.`,
    );
  }
  if (image.virtualization !== 'hvm')
    throw refused(
      'InvalidParameterCombination',
      `Non-Windows instances with a virtualization type of '${image.virtualization}' are not supported for this instance type.`,
    );
  if (!image.enaSupport)
    throw refused(
      'InvalidParameterCombination',
      `Enhanced networking with the Elastic Network Adapter (ENA) is required for the '${type}' instance type.`,
    );
  const runsFrom = now + cloud.span(5_000, 60_000);
  const instance: Instance = {
    id: cloud.id('i'),
    owner: caller.account,
    imageId: ImageId,
    type,
    architecture,
    tags,
    clientToken: token,
    startedAt: now,
    runsFrom,
    consoleFrom: runsFrom + cloud.span(10_000, 4 * MINUTE),
    knownFrom: now + cloud.lag(30_000),
    terminatedAt: undefined,
    fate: cloud.instanceFate?.(ImageId, runsFrom),
  };
  region.instances.set(instance.id, instance);
  image.lastLaunched = now;
  if (token !== undefined) region.tokens.keep(key, input, now, { id: instance.id });
  return reservation([instance], call);
}

function ownInstance({ region, caller, cloud, now }: CloudCall<unknown>, id = ''): Instance {
  const instance = region.instances.get(id);
  const isKnown = instance !== undefined && (now >= instance.knownFrom || cloud.world.random() < 0.5);
  if (instance?.owner !== caller.account || !isKnown)
    throw refused('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  return instance;
}

export function describeInstances(call: CloudCall<DescribeInstancesRequest>): object {
  const { input, region, caller, now } = call;
  const { InstanceIds = [], Filters } = input;
  checkFilters(Filters, ['instance-state-name', 'image-id', 'instance-id', 'client-token', 'tag-key']);
  const wanted = (): string[] => {
    const named = InstanceIds.map((id) => ownInstance(call, id));
    const own = [...region.instances.values()].filter(({ owner }) => owner === caller.account);
    return (InstanceIds.length > 0 ? named : own)
      .filter((instance) =>
        passes(Filters, {
          ...tagFilters(instance.tags),
          'instance-state-name': [instanceState(instance, now)],
          'image-id': [instance.imageId],
          'instance-id': [instance.id],
          'client-token': [instance.clientToken ?? ''],
        }),
      )
      .map(({ id }) => id);
  };
  const { ids, nextToken } = pageOfIds(call, wanted, [5, 1000]);
  const found = ids.map((id) => region.instances.get(id)).filter((instance) => instance !== undefined);
  return { Reservations: found.map((instance) => reservation([instance], call)), NextToken: nextToken };
}

/** Without `Latest` nothing is told for so long, or until the machine has ended (canonical/pycloudlib 193, NixOS/amis 4). */
const BUFFERED = 20 * MINUTE;

/** Bytes of the console that are kept: its end. */
const KEPT = 64 * 1024;

/** What the console says, which a test gives; nothing for the first minutes. */
export function getConsoleOutput(call: CloudCall<GetConsoleOutputRequest>): object {
  const { cloud, region, now } = call;
  const instance = ownInstance(call, call.input.InstanceId);
  const isTold =
    call.input.Latest === true || now >= instance.runsFrom + BUFFERED || instanceState(instance, now) === 'terminated';
  const all = now >= instance.consoleFrom && isTold ? cloud.console({ ...instance, region: region.name, now }) : '';
  const text = Buffer.from(all).subarray(-KEPT);
  return {
    InstanceId: instance.id,
    Timestamp: new Date(now),
    ...(text.length === 0 ? {} : { Output: text.toString('base64') }),
  };
}

export function terminateInstances(call: CloudCall<TerminateInstancesRequest>): object {
  const { input, now } = call;
  const instances = (input.InstanceIds ?? []).map((id) => ownInstance(call, id));
  const TerminatingInstances = instances.map((instance) => {
    const before = instanceState(instance, now);
    instance.terminatedAt ??= now;
    const PreviousState = stateOf(before);
    return { InstanceId: instance.id, PreviousState, CurrentState: stateOf(instanceState(instance, now)) };
  });
  return { TerminatingInstances };
}

export function describeInstanceTypes({ input }: CloudCall<DescribeInstanceTypesRequest>): object {
  const { InstanceTypes = [], Filters } = input;
  checkFilters(Filters, ['processor-info.supported-architecture', 'instance-type']);
  const unknown = InstanceTypes.find((type) => TYPES[type] === undefined);
  if (unknown !== undefined)
    throw refused('InvalidInstanceType', `The following supplied instance types do not exist: [${unknown}]`);
  const found = Object.entries(TYPES)
    .filter(([type]) => InstanceTypes.length === 0 || InstanceTypes.includes(type as never))
    .filter(([type, of]) =>
      passes(Filters, { 'processor-info.supported-architecture': [of], 'instance-type': [type] }),
    );
  return {
    InstanceTypes: found.map(([InstanceType, of]) => ({
      InstanceType,
      ProcessorInfo: { SupportedArchitectures: [of] },
    })),
  };
}

/** The types that the region has. */
export function describeInstanceTypeOfferings({
  input,
  region,
}: CloudCall<DescribeInstanceTypeOfferingsRequest>): object {
  const { LocationType = 'region', Filters } = input;
  checkFilters(Filters, ['instance-type', 'location']);
  const there = Object.keys(TYPES).filter((type) => !region.missingTypes.has(type));
  const found = there.filter((type) => passes(Filters, { 'instance-type': [type], location: [region.name] }));
  return {
    InstanceTypeOfferings: found.map((InstanceType) => ({ InstanceType, LocationType, Location: region.name })),
  };
}
