import { z } from 'zod';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import type { ContainerConfig } from './container-config.ts';
import type { OciPlatform } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { digestSchema } from './digest-schema.ts';

/**
 * When every image was made: one second after the epoch, as dockerTools has it. A true time would give equal
 * content another digest each day.
 */
export const CREATED = '1970-01-01T00:00:01Z';

const historySchema = z.looseObject({
  created: z.string().optional(),
  created_by: z.string().optional(),
  comment: z.string().optional(),
  empty_layer: z.boolean().optional(),
});

export type History = z.infer<typeof historySchema>;

/** What the configs of images and of disks both have. */
export const configPlatformSchema = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  created: z.string().nullish(),
});

/** What is read of any image's config, another maker's too (OCI image-spec, config.md). */
export const imageConfigSchema = configPlatformSchema.extend({
  config: z.looseObject({ Env: z.array(z.string()).nullish() }).nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(digestSchema) }),
  history: z.array(historySchema).nullish(),
});

export type ImageConfig = z.infer<typeof imageConfigSchema>;

interface ConfigInput {
  readonly platform: OciPlatform;
  readonly config: ContainerConfig;
  readonly diffIds: readonly Digest[];
  readonly history: readonly History[];
  readonly base: ImageConfig | undefined;
  /** RFC 3339. Default: CREATED. */
  readonly created?: string;
}

/**
 * The bytes of an image's config. Only the environment of a base is kept, overridden by name, as dockerTools
 * does; its layers and history stand below the image's own.
 */
export function imageConfigBytes(input: ConfigInput): Buffer {
  const { architecture, os, variant } = input.platform;
  const env = mergeEnvironment(input.base?.config?.Env ?? [], input.config.Env ?? []);
  const config: Json = {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    created: input.created ?? CREATED,
    config: { ...withoutNull(input.config), ...(env.length > 0 ? { Env: env } : {}) },
    rootfs: { type: 'layers', diff_ids: [...(input.base?.rootfs.diff_ids ?? []), ...input.diffIds] },
    history: [...baseHistory(input.base), ...input.history] as Json,
  };
  return Buffer.from(canonicalJson(config));
}

/**
 * History is optional, and where it stands it must match the layers one to one (config.md): a base that has none, or another
 * number, would shift what is said of the layers above it.
 */
function baseHistory(base: ImageConfig | undefined): readonly History[] {
  const history = base?.history ?? [];
  const layers = base?.rootfs.diff_ids ?? [];
  if (history.filter((entry) => !entry.empty_layer).length === layers.length) return history;
  return layers.map(() => ({ created: CREATED, created_by: 'base image' }));
}

/** Later entries win by name and keep the place of the first. */
function mergeEnvironment(base: readonly string[], own: readonly string[]): string[] {
  const byName = new Map([...base, ...own].map((entry) => [entry.split('=', 1)[0], entry]));
  return [...byName.values()];
}

/** null and absent say the same in a definition; the config holds neither. */
const withoutNull = (config: ContainerConfig): { [key: string]: Json } =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null && value !== undefined)) as {
    [key: string]: Json;
  };

/** One history entry for each layer; `comment` names what is in it, in words that `inspect` and dive show. */
export const historyEntry = (comment: string): History => ({ created: CREATED, created_by: 'nix-images', comment });
