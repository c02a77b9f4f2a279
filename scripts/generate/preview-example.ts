import { createHash } from 'node:crypto';
import type { Contents } from '../../src/diff/contents.ts';
import { diffImages } from '../../src/diff/image-diff.ts';
import { previewText } from '../../src/preview/preview-text.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Packages by name and version, with bytes of their NARs; a third part is another build of the same version. */
type Packages = Readonly<Record<string, number>>;

const BEFORE: Packages = {
  'glibc-2.42-67': 31_900_000,
  'openssl-3.0.15': 6_900_000,
  'python3-3.13.9': 112_400_000,
  'sqlite-3.50.4': 1_700_000,
  'curl-8.17.0': 900_000,
  'app-1.9.0': 4_100_000,
};

const AFTER: Packages = {
  'glibc-2.42-67': 31_900_000,
  'openssl-3.0.16': 6_912_000,
  'python3-3.13.9': 112_400_000,
  'sqlite-3.50.4': 1_700_000,
  'zstd-1.5.7': 1_100_000,
  'app-1.10.0': 4_300_000,
};

const LAYERS = { base: 38_200_000, python: 21_600_000, old: 2_900_000, new: 3_400_000 };

const contents = (platform: string, packages: Packages, layers: readonly (keyof typeof LAYERS)[]): Contents => ({
  platform,
  digest: `sha256:${hash(`${platform} ${layers}`)}`,
  layers: layers.map((layer) => ({ digest: `sha256:${hash(`${platform} ${layer}`)}`, size: LAYERS[layer] })),
  paths: Object.entries(packages).map(([name, size]) => ({ path: `/nix/store/${storeHash(name)}-${name}`, size })),
});

/** In the alphabet of store paths, which has no `e`. */
const storeHash = (name: string): string => hash(name).replaceAll('e', 'z').slice(0, 32);

const sideOf = (reference: string, packages: Packages, layers: readonly (keyof typeof LAYERS)[]) => ({
  reference,
  digest: `sha256:${hash(reference)}`,
  images: ['linux/amd64', 'linux/arm64'].map((platform) => contents(platform, packages, layers)),
});

/** What the comment on a pull request says that updates two packages and swaps one for another. */
export const examplePreview = (): string =>
  previewText(
    {
      number: 7,
      commit: 'c80d8e7f0a1b',
      runUrl: 'https://github.com/org/app/actions/runs/77',
      unpublished: null,
      images: [
        {
          name: 'app',
          pull: 'ghcr.io/org/app:pr-7',
          byDigest: `ghcr.io/org/app@sha256:${hash('ghcr.io/org/app:pr-7')}`,
          diff: diffImages(
            sideOf('ghcr.io/org/app:main', BEFORE, ['base', 'python', 'old']),
            sideOf('ghcr.io/org/app:pr-7', AFTER, ['base', 'python', 'new']),
          ),
          note: null,
          over: [],
        },
      ],
    },
    60_000,
    '',
  ).text;
