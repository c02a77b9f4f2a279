import type { RouteCall } from './route.ts';

const DEFAULT_SIZE = 30;

/** GitHub takes a larger one for this, in silence. */
const LARGEST = 100;

const number = (text: string | undefined, fallback: number): number => {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : fallback;
};

/** The page that `page` and `per_page` ask for. */
export const pageOf = <T>(items: readonly T[], { query }: RouteCall<'page' | 'per_page'>): T[] => {
  const size = Math.min(number(query('per_page'), DEFAULT_SIZE), LARGEST);
  const start = (number(query('page'), 1) - 1) * size;
  return items.slice(start, start + size);
};
