import { z } from 'zod';

/** Where an image is defined: in a flake or in a file. */
export const sourceSchema = z.strictObject({ flake: z.string().nullable(), file: z.string().nullable() });

export type PlanSource = z.infer<typeof sourceSchema>;
