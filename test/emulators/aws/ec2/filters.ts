import type { Filter } from '@aws-sdk/client-ec2';
import { refused } from './look-up.ts';

/** The values of one thing by the names of filters; tags are `tag:KEY`. */
export type Filtered = Readonly<Record<string, readonly string[]>>;

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );

export const tagFilters = (tags: ReadonlyMap<string, string>): Filtered => ({
  'tag-key': [...tags.keys()],
  ...Object.fromEntries([...tags].map(([key, value]) => [`tag:${key}`, [value]])),
});

/** Refuses filters that are not emulated: EC2 refuses what it does not know, too. */
export function checkFilters(filters: readonly Filter[] = [], names: readonly string[]): void {
  const wrong = filters.find(({ Name = '' }) => !names.includes(Name) && !/^tag:./.test(Name));
  if (wrong) throw refused('InvalidParameterValue', `The filter '${wrong.Name}' is invalid`);
  if (filters.some(({ Values = [] }) => Values.length === 0 || Values.length > 200))
    throw refused('InvalidParameterValue', 'A filter has no values, or more than 200.');
}

/** Whether a thing passes all filters: one of the values of each, in which `*` and `?` stand for others. */
export const passes = (filters: readonly Filter[] = [], filtered: Filtered): boolean =>
  filters.every(({ Name = '', Values = [] }) => {
    const patterns = Values.map(patternOf);
    return (filtered[Name] ?? []).some((value) => patterns.some((pattern) => pattern.test(value)));
  });
