import type {
  DescribeRegionsRequest,
  EnableImageBlockPublicAccessRequest,
  EnableSnapshotBlockPublicAccessRequest,
} from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import type { CloudRegion, RegionSettings } from '../cloud/cloud-region.ts';
import { OPT_IN } from '../cloud/partitions.ts';
import { checkFilters, passes } from './filters.ts';
import { refused } from './look-up.ts';

const settingsOf = ({ region, caller }: CloudCall<unknown>): RegionSettings => region.settingsOf(caller.account);

const optIn = ({ name, isEnabled }: CloudRegion): string =>
  !OPT_IN.includes(name) ? 'opt-in-not-required' : isEnabled ? 'opted-in' : 'not-opted-in';

/** Regions of the caller's partition; those that the account has not asked for only on request. */
export function describeRegions({ input, cloud, region }: CloudCall<DescribeRegionsRequest>): object {
  const { RegionNames = [], AllRegions = false, Filters } = input;
  checkFilters(Filters, ['region-name', 'opt-in-status', 'endpoint']);
  const all = cloud.inPartition(region.partition);
  const unknown = RegionNames.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw refused('InvalidParameterValue', `Invalid region names: '${unknown}'`);
  const endpoint = (name: string): string => `ec2.${name}.amazonaws.com`;
  const found = all
    .filter((one) => AllRegions || one.isEnabled)
    .filter(({ name }) => RegionNames.length === 0 || RegionNames.includes(name))
    .filter((one) =>
      passes(Filters, { 'region-name': [one.name], 'opt-in-status': [optIn(one)], endpoint: [endpoint(one.name)] }),
    );
  return {
    Regions: found.map((one) => ({ RegionName: one.name, OptInStatus: optIn(one), Endpoint: endpoint(one.name) })),
  };
}

/** Whether images cannot become public takes up to ten minutes to change. */
const LONGEST_BLOCK = 10 * 60_000;

const blockState = (isBlocked: boolean): string => (isBlocked ? 'block-new-sharing' : 'unblocked');

export function getImageBlock(call: CloudCall<unknown>): object {
  const isBlocked = settingsOf(call).blocksPublicImages.read(call.now, call.cloud.world.random());
  return { ImageBlockPublicAccessState: blockState(isBlocked), ManagedBy: 'account' };
}

export function enableImageBlock(call: CloudCall<EnableImageBlockPublicAccessRequest>): object {
  settingsOf(call).blocksPublicImages.set(true, call.now + call.cloud.lag(LONGEST_BLOCK));
  return { ImageBlockPublicAccessState: call.input.ImageBlockPublicAccessState };
}

export function disableImageBlock(call: CloudCall<unknown>): object {
  settingsOf(call).blocksPublicImages.set(false, call.now + call.cloud.lag(LONGEST_BLOCK));
  return { ImageBlockPublicAccessState: 'unblocked' };
}

export const getSnapshotBlock = (call: CloudCall<unknown>): object => ({
  State: settingsOf(call).snapshotSharing,
  ManagedBy: 'account',
});

export function enableSnapshotBlock(call: CloudCall<EnableSnapshotBlockPublicAccessRequest>): object {
  settingsOf(call).snapshotSharing = call.input.State ?? 'block-all-sharing';
  return { State: call.input.State };
}

export function disableSnapshotBlock(call: CloudCall<unknown>): object {
  settingsOf(call).snapshotSharing = 'unblocked';
  return { State: 'unblocked' };
}

export const getEncryptionByDefault = (call: CloudCall<unknown>): object => ({
  EbsEncryptionByDefault: settingsOf(call).encryptsByDefault,
  SseType: settingsOf(call).encryptsByDefault ? 'sse-kms' : 'none',
});

export const getDefaultKey = (call: CloudCall<unknown>): object => ({
  KmsKeyId: call.region.defaultKey(call.caller.account),
});
