import type { Descriptor, OciPlatform } from './descriptor.ts';
import { platformOf, platformText, type System } from './system.ts';

/** Spellings of an architecture that mean another one, and the variant that some of them imply. */
const ALIASES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ['386', ''],
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
};

/** The variant that an architecture has when none is written; it is left out, but for 32-bit arm. */
const USUAL_VARIANT: Readonly<Record<string, string>> = { amd64: 'v1', arm64: 'v8' };

/** The platform in its one spelling, as containerd normalises it: `aarch64` and `arm64/v8` are `arm64`, `amd64/v1` is `amd64`. */
export function normalisePlatform({ os, architecture, variant = '' }: OciPlatform): OciPlatform {
  const written = architecture.toLowerCase();
  const alias = Object.hasOwn(ALIASES, written) ? ALIASES[written] : undefined;
  const name = alias?.[0] ?? written;
  const level = usualVariant(name, alias?.[1] ?? variant.toLowerCase());
  return {
    os: os.toLowerCase() || 'linux',
    architecture: name,
    ...(level === '' ? {} : { variant: level }),
  };
}

function usualVariant(architecture: string, variant: string): string {
  if (architecture !== 'arm' && architecture !== 'arm64' && architecture !== 'amd64') return variant;
  if (architecture === 'arm' && variant === '') return 'v7';
  const level = /^\d/.test(variant) && architecture !== 'amd64' ? `v${variant}` : variant;
  return level === USUAL_VARIANT[architecture] ? '' : level;
}

/**
 * Whether an image for `platform` runs on every machine of `system`. One for `amd64/v3` does not run on every x86-64
 * processor, so it is not an image for `x86_64-linux`; versions of the operating system do not count.
 */
export const isForSystem = (platform: OciPlatform, system: System): boolean =>
  platformText(normalisePlatform(platform)) === platformText(platformOf(system));

/** BuildKit's mark on what is in an index beside images, such as attestations. */
const REFERENCE_TYPE = 'vnd.docker.reference.type';

/** Whether an entry of an index is an image: attestations stand there too, for a platform that no machine has. */
export const isImageEntry = ({ platform, annotations }: Pick<Descriptor, 'platform' | 'annotations'>): boolean =>
  platform?.os !== 'unknown' && platform?.architecture !== 'unknown' && annotations?.[REFERENCE_TYPE] === undefined;

/**
 * The entries of an index that are each for another platform, so that the platform alone tells them apart; undefined where
 * it does not, or there are fewer than two.
 */
export function byPlatform<T extends Pick<Descriptor, 'platform'>>(entries: readonly T[]): readonly T[] | undefined {
  const platforms = entries.map(({ platform }) => platform && platformText(normalisePlatform(platform)));
  const isClear = entries.length > 1 && !platforms.includes(undefined) && new Set(platforms).size === entries.length;
  return isClear ? entries : undefined;
}
