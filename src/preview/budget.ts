import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import type { ImageDiff } from '../diff/image-diff.ts';

/** What an image may weigh on each platform, in bytes as they are sent. */
export interface Budget {
  /** Undefined: every image that has no line of its own. */
  readonly image: string | undefined;
  readonly bytes: number;
}

const LINE = /^(?:([^=\s]+)=)?(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?$/i;

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Reads `120 MB` or `app=120MB`. Throws UserError `input`. */
export function parseBudget(text: string): Budget {
  const [, image, number = '', unit = 'B'] = LINE.exec(text.trim()) ?? [];
  const bytes = Number(number) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (number !== '' && bytes > 0) return { image, bytes };
  throw new UserError('input', `${JSON.stringify(text)} is not a valid size budget`, {
    hint: 'Write SIZE or NAME=SIZE, such as 120MB or app=1.5GB.',
    docs: 'previews.md#budget',
  });
}

/** An image that weighs more than it may. */
export interface OverBudget {
  readonly platform: string;
  readonly bytes: number;
  readonly budget: number;
}

/** The platforms of an image that are over its budget. The last line of its name counts, else the last without one. */
export function overBudget(name: string, { platforms }: ImageDiff, budgets: readonly Budget[]): OverBudget[] {
  const own = budgets.findLast(({ image }) => image === name) ?? budgets.findLast(({ image }) => image === undefined);
  if (own === undefined) return [];
  return platforms.flatMap(({ platform, new: now }) =>
    now?.size && now.size > own.bytes ? [{ platform, bytes: now.size, budget: own.bytes }] : [],
  );
}

/** `linux/amd64 weighs 130.0 MB, and its budget is 120.0 MB`. */
export const overBudgetText = ({ platform, bytes, budget }: OverBudget): string =>
  `${platform} weighs ${sizeText(bytes)}, and its budget is ${sizeText(budget)}`;
