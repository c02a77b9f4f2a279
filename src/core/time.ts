import { z } from 'zod';

/** Seconds since 1970 up to the end of the year 9999, beyond which RFC 3339 has no times. */
const MOST_SECONDS = 253_402_300_799;

/** Seconds since 1970 as RFC 3339 text, in UTC: `1970-01-01T00:00:01Z`. */
export const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

const EXPECTED = 'expected a time such as 2026-01-31T12:00:00Z, or seconds since 1970';

/**
 * When an image was made: RFC 3339 text, or seconds since 1970 as flakes have in `self.lastModified`. Not `now`, which
 * dockerTools takes: every evaluation would make another image.
 */
export const createdSchema = z
  .union([z.iso.datetime({ offset: true, error: EXPECTED }), z.int().min(0).max(MOST_SECONDS)], { error: EXPECTED })
  .transform((time) => (typeof time === 'number' ? timeText(time) : time));

const SECOND = 1000;
const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Milliseconds as people read them: `0.4 s`, `12 s`, `2 min 5 s`, `1 h 3 min`. */
export function durationText(milliseconds: number): string {
  const seconds = milliseconds / SECOND;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}
