import { z } from 'zod';

/** A path in an image: absolute, below `/`, written without detours. */
export const absolutePathSchema = z
  .string()
  .regex(/^(?:\/[^/\0]+)+$/, 'expected an absolute path below / without trailing slash')
  .refine((path) => !path.split('/').some((part) => part === '.' || part === '..'), 'must not contain . or ..');

/** An octal mode as text: JSON has no octal numbers. */
export const modeSchema = z.string().regex(/^[0-7]{3,4}$/, 'expected an octal mode such as 0644');
