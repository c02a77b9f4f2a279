import type { Tag, TagSpecification } from '@aws-sdk/client-ec2';
import { refused } from './look-up.ts';

/** Limits of EC2's tags ("Tag your Amazon EC2 resources"). */
const MOST = 50;
const LONGEST_KEY = 128;
const LONGEST_VALUE = 256;

/** Refuses tags that EC2 does not take. */
export function checkTags(tags: readonly Tag[]): Map<string, string> {
  const keys = tags.map(({ Key = '' }) => Key);
  if (keys.some((key) => key === '' || key.length > LONGEST_KEY))
    throw refused('InvalidParameterValue', 'Tag keys must have 1 to 128 characters.');
  if (tags.some(({ Value = '' }) => Value.length > LONGEST_VALUE))
    throw refused('InvalidParameterValue', 'Tag values must have at most 256 characters.');
  if (keys.some((key) => /^aws:/i.test(key)))
    throw refused('InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use");
  if (new Set(keys).size < keys.length) throw refused('InvalidParameterValue', 'A tag key is given twice.');
  if (keys.length > MOST) throw refused('TagLimitExceeded', 'More than 50 tags.');
  return new Map(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** The tags of each kind of thing that a request makes. Throws for kinds that it does not make. */
export function tagsFor<Kind extends string>(
  specifications: readonly TagSpecification[] = [],
  kinds: readonly Kind[],
): Readonly<Record<Kind, Map<string, string>>> {
  const wrong = specifications.find(({ ResourceType }) => !kinds.includes(ResourceType as Kind));
  if (wrong)
    throw refused(
      'InvalidParameterValue',
      `'${wrong.ResourceType}' is not a valid taggable resource type for this operation.`,
    );
  const twice = specifications.length > new Set(specifications.map(({ ResourceType }) => ResourceType)).size;
  if (twice) throw refused('InvalidParameterValue', 'A resource type is given twice.');
  const of = (kind: Kind) => checkTags(specifications.find(({ ResourceType }) => ResourceType === kind)?.Tags ?? []);
  return Object.fromEntries(kinds.map((kind) => [kind, of(kind)])) as Record<Kind, Map<string, string>>;
}

export const tagList = (tags: ReadonlyMap<string, string>): Tag[] => [...tags].map(([Key, Value]) => ({ Key, Value }));
