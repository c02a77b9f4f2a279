import type { Contents } from './contents.ts';
import { diffPlatform, type PlatformDiff } from './platform-diff.ts';

/** One side of a comparison, as it was named and what it holds. */
export interface ComparedImage {
  /** As a person would name it, with the tag or digest that was read. */
  readonly reference: string;
  /** Of the index, or the only manifest; null for what is not made yet. */
  readonly digest: string | null;
  readonly images: readonly Contents[];
}

export interface ImageDiff {
  readonly old: Omit<ComparedImage, 'images'>;
  readonly new: Omit<ComparedImage, 'images'>;
  /** Every platform of either side, those of the new one first. */
  readonly platforms: readonly PlatformDiff[];
}

/** What is different between two images, platform by platform. Pure. */
export function diffImages(before: ComparedImage, after: ComparedImage): ImageDiff {
  const of = ({ images }: ComparedImage, platform: string) => images.find((image) => image.platform === platform);
  const platforms = new Set([...after.images, ...before.images].map(({ platform }) => platform));
  return {
    old: { reference: before.reference, digest: before.digest },
    new: { reference: after.reference, digest: after.digest },
    platforms: [...platforms].map((platform) => diffPlatform(platform, of(before, platform), of(after, platform))),
  };
}
