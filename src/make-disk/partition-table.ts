import type { DiskDefinition } from '../definition/disk-definition.ts';
import { PARTITION_TYPE, type Partition, type PartitionTable } from '../disk/gpt.ts';
import type { DiskPlan } from './disk-plan.ts';
import { diskUuid, uuidText } from './disk-uuid.ts';

/** Digits of a UUID; a root hash of SHA-256 has twice as many. */
const UUID_DIGITS = 32;

/**
 * The partitions of a disk. Their UUIDs follow from its name, but with dm-verity those of the store and its tree are the two halves of the root
 * hash, by which systemd finds them. The store's type says nothing, so that no generator mounts it; the root's says what it is,
 * so that systemd-repart finds and enlarges it.
 */
export function partitionTable(
  definition: Pick<DiskDefinition, 'name' | 'system' | 'partitions'>,
  plan: DiskPlan,
  rootHash: string | undefined,
): PartitionTable {
  const { store, root } = definition.partitions;
  const half = (start: number, part: 'store' | 'store-verity'): string =>
    rootHash === undefined
      ? diskUuid(definition, part)
      : uuidText(Buffer.from(rootHash.slice(start, start + UUID_DIGITS), 'hex'));
  const partitions: Partition[] = [
    { type: PARTITION_TYPE.esp, uuid: diskUuid(definition, 'esp'), name: 'ESP', ...plan.esp },
    { type: PARTITION_TYPE.linux, uuid: half(0, 'store'), name: store.label, ...plan.store },
  ];
  if (plan.verity !== undefined) {
    const name = `${store.label}-verity`;
    partitions.push({ type: PARTITION_TYPE.linux, uuid: half(UUID_DIGITS, 'store-verity'), name, ...plan.verity });
  }
  const type = definition.system === 'x86_64-linux' ? PARTITION_TYPE.rootX64 : PARTITION_TYPE.rootArm64;
  partitions.push({ type, uuid: diskUuid(definition, 'root'), name: root.label, ...plan.root });
  return { uuid: diskUuid(definition, 'disk'), partitions };
}
