import { z } from 'zod';
import { digestSchema } from './digest-schema.ts';

export const platformSchema = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  'os.version': z.string().optional(),
});

/** OCI image-spec, `descriptor.md`. Loose, because another maker's manifest may carry more. */
export const descriptorSchema = z.looseObject({
  mediaType: z.string().min(1),
  digest: digestSchema,
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
  platform: platformSchema.optional(),
  urls: z.array(z.string()).optional(),
  artifactType: z.string().optional().catch(undefined),
});

export type OciPlatform = z.infer<typeof platformSchema>;
export type Descriptor = z.infer<typeof descriptorSchema>;
