import type { components } from '@octokit/openapi-types';
import { UPLOADS } from './emulator.ts';

type Release = components['schemas']['release'];
type Asset = components['schemas']['release-asset'];

const text = (milliseconds: number): string => new Date(milliseconds).toISOString();

interface ShownAsset {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  /** Default: all of it is there. */
  readonly state?: 'uploaded' | 'starter';
  readonly digest?: string | null;
  /** When it changed, in milliseconds since 1970. */
  readonly time: number;
}

/** An asset as the REST interface shows it. */
export const assetBody = ({ id, name, size, state = 'uploaded', digest = null, time }: ShownAsset): Asset =>
  // `starter` is what the interface says; its description knows `open` alone.
  ({ id, name, size, state, digest, created_at: text(time), updated_at: text(time) }) as unknown as Asset;

interface ShownRelease {
  readonly id: number;
  readonly tag: string;
  readonly draft: boolean;
  readonly prerelease?: boolean;
  readonly immutable: boolean;
  readonly body?: string;
  /** When it was published, or the draft changed, in milliseconds since 1970. */
  readonly time: number;
  /** Of the commit that it is for. Default: `time`. */
  readonly committed?: number | undefined;
  readonly assets: readonly Asset[];
  readonly repository: string;
  /** Where uploads go to. */
  readonly origin: string;
}

/** A release as the REST interface shows it. */
export const releaseBody = ({ id, tag, draft, prerelease = false, immutable, body = '', ...rest }: ShownRelease) =>
  ({
    ...{ id, tag_name: tag, draft, prerelease, immutable, body, assets: rest.assets },
    ...{ created_at: text(rest.committed ?? rest.time), updated_at: text(rest.time) },
    published_at: draft ? null : text(rest.time),
    html_url: `https://github.com/${rest.repository}/releases/tag/${draft ? `untagged-${id}` : tag}`,
    upload_url: `${rest.origin}${UPLOADS}repos/${rest.repository}/releases/${id}/assets{?name,label}`,
  }) as unknown as Release;
