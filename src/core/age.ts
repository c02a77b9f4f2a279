import { UserError } from './error.ts';

const MINUTE = 60_000;
const UNITS: Readonly<Record<string, number>> = {
  m: MINUTE,
  h: 60 * MINUTE,
  d: 24 * 60 * MINUTE,
  w: 7 * 24 * 60 * MINUTE,
};

/** Reads an age such as `30m`, `12h`, `7d` or `2w`; gives milliseconds. Throws UserError `input`. */
export function parseAge(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,4})([mhdw])$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (UNITS[unit] ?? 0);
  throw new UserError('input', `${JSON.stringify(text)} is not a valid age`, {
    hint: 'Write a number and m, h, d or w: 30m, 12h, 7d, 2w.',
  });
}

/** Milliseconds as an age is written, in the largest unit that there is one of: `3d`. */
export function ageText(milliseconds: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, one]) => milliseconds >= one) ?? ['m', MINUTE];
  return `${Math.floor(Math.max(0, milliseconds) / size)}${unit}`;
}
