import type { Cloud } from '../aws/cloud.ts';
import type { ParameterRecord } from '../aws/ssm-api.ts';
import { TAGS } from './content.ts';

/** Something that a parameter has pointed to. */
export interface PointedAt {
  readonly amiId: string;
  /** Version of the image; undefined where the AMI is gone, or not ours. */
  readonly version: string | undefined;
  /** Whether it can be launched, and so be pointed to again. */
  readonly isAvailable: boolean;
  /** What is behind it for a rollback, by the promotion that set it: a version, or null for nothing. Undefined where none did. */
  readonly before: string | null | undefined;
  /** When it was set, in milliseconds since 1970. */
  readonly time: number | undefined;
}

const RECORD = /^nix-images: (\S.*?), before (\S.*)$/;
const NOTHING = '(nothing)';

/** Characters of a description that Systems Manager takes (SSM API reference, PutParameter). */
const LONGEST = 1024;

/** What a promotion says of itself in the parameter's description, where every version keeps its own. */
export const pointerRecord = (version: string, before: string | undefined): string =>
  `nix-images: ${version}, before ${before ?? NOTHING}`.slice(0, LONGEST);

/** What is said of a value that was put back when a promotion failed. */
export const TAKEN_BACK = 'nix-images: taken back';

/** Without promotions that failed: a value that was put back stands for the same one before it. */
function withoutFailed(records: readonly ParameterRecord[]): ParameterRecord[] {
  const kept: ParameterRecord[] = [];
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at];
    if (record === undefined) continue;
    const isBack = record.description === TAKEN_BACK;
    const same = isBack ? records.findIndex(({ value }, older) => older > at && value === record.value) : -1;
    if (same < 0) kept.push(record);
    else at = same - 1;
  }
  return kept;
}

/** A description may be left over from the value before, and says then what is not so. */
function beforeIn({ description = '' }: ParameterRecord, version: string | undefined): string | null | undefined {
  const [, of, before] = RECORD.exec(description) ?? [];
  if (of === undefined || of !== version) return undefined;
  return before === NOTHING ? null : before;
}

/** What a parameter has pointed to, the newest first, each once in a row. Systems Manager keeps a hundred values. Throws as AWS does. */
export async function pointerHistory(
  cloud: Pick<Cloud, 'ec2' | 'ssm'>,
  region: string,
  name: string,
): Promise<PointedAt[]> {
  const records = withoutFailed(await cloud.ssm(region).history(name));
  const distinct = records.filter(({ value }, at) => value !== records[at - 1]?.value);
  const ids = [...new Set(distinct.map(({ value }) => value))];
  const amis = ids.length === 0 ? [] : await cloud.ec2(region).images({ ids });
  return distinct.map((record): PointedAt => {
    const ami = amis.find(({ id }) => id === record.value);
    const version = ami?.tags.get(TAGS.version);
    return {
      ...{ amiId: record.value, version, time: record.time },
      isAvailable: ami?.state === 'available',
      before: beforeIn(record, version),
    };
  });
}

/** Where a rollback leads, and what is behind that. */
interface RollbackVersion {
  readonly version: string;
  readonly before: string | undefined;
}

/**
 * The version before the one that a parameter points to: by the promotion that set it, else the last other one that is still available. What was rolled back
 * from is passed over, so each rollback leads further back. Undefined where there is nothing. Pure.
 */
export function versionBefore(history: readonly PointedAt[]): RollbackVersion | undefined {
  const [now, ...older] = history;
  if (now?.before === null) return undefined;
  const version = now?.before ?? olderVersion(older, now?.version);
  if (version === undefined) return undefined;
  const at = older.findIndex((one) => one.version === version);
  const found = older[at];
  const before = found?.before === undefined && at >= 0 ? olderVersion(older.slice(at + 1), version) : found?.before;
  return { version, before: before ?? undefined };
}

const olderVersion = (older: readonly PointedAt[], than: string | undefined): string | undefined =>
  older.find(({ version, isAvailable }) => isAvailable && version !== undefined && version !== than)?.version;
