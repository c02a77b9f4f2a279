import type { CloudCall } from '../cloud/cloud-call.ts';
import type { CloudRegion } from '../cloud/cloud-region.ts';
import { refused } from './look-up.ts';

interface Asked {
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** What is left of lists, by their tokens. */
const lists = new WeakMap<CloudRegion, Map<string, readonly string[]>>();

/**
 * A page of ids, in an order that means nothing. A third of the further pages is empty, with a token: only a missing token ends
 * a list. Without MaxResults everything is one page.
 */
export function pageOfIds(
  { input, cloud, region }: CloudCall<Asked>,
  all: () => readonly string[],
  [least, most]: readonly [number, number],
): { readonly ids: readonly string[]; readonly nextToken: string | undefined } {
  const { MaxResults: size, NextToken: token } = input;
  if (size !== undefined && (size < least || size > most))
    throw refused(
      'InvalidParameterValue',
      `Value ( ${size} ) for parameter maxResults is invalid. Expecting a value between ${least} and ${most}.`,
    );
  const known = lists.get(region) ?? new Map<string, readonly string[]>();
  lists.set(region, known);
  const left = token === undefined ? shuffled(all(), cloud.world.random) : known.get(token);
  if (left === undefined) throw refused('InvalidNextToken', `The token '${token}' is invalid`);
  const isEmpty = token !== undefined && cloud.world.lags !== 'none' && cloud.world.random() < 1 / 3;
  const count = isEmpty ? 0 : (size ?? left.length);
  const rest = left.slice(count);
  if (rest.length === 0) return { ids: left, nextToken: undefined };
  const nextToken = cloud.id('page');
  known.set(nextToken, rest);
  return { ids: left.slice(0, count), nextToken };
}

/** The items in another order, by chance. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}
