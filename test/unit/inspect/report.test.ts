import { expect, test } from 'vitest';
import type { Inspection } from '../../../src/inspect/inspected.ts';
import { inspectionText } from '../../../src/inspect/report.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const HASH = '8vckzajvwz7y9cizvnlcr84nxp5a56nn';

const layer = {
  digest: DIGEST,
  mediaType: '',
  compression: 'gzip' as const,
  size: 1_500_000,
  unpackedSize: 4_000_000,
  key: null,
  comment: null,
};

const INSPECTION: Inspection = {
  reference: 'docker://ghcr.io/org/app:v1',
  mediaType: 'application/vnd.oci.image.index.v1+json',
  digest: DIGEST,
  annotations: { 'org.opencontainers.image.source': 'https://example.com/app' },
  images: [
    {
      platform: 'linux/amd64',
      digest: DIGEST,
      config: {
        Entrypoint: ['/bin/app', '--name', 'a b'],
        User: '1000:1000',
        ExposedPorts: { '8080/tcp': {}, '53/udp': {} },
        WorkingDir: '/srv',
      },
      layers: [
        { ...layer, storeSizes: [], storePaths: [`/nix/store/${HASH}-glibc-2.40`, `/nix/store/${HASH}-app-1.0`] },
        {
          ...layer,
          compression: 'zstd:chunked',
          storeSizes: [],
          storePaths: [],
          comment: 'root: merged packages, files and accounts',
        },
      ],
    },
    {
      platform: 'linux/arm64',
      digest: DIGEST,
      config: { User: 7 },
      layers: [{ ...layer, compression: null, storeSizes: [], storePaths: [], size: 10 }],
    },
  ],
};

test('a summary first: platforms, sizes and how the image starts', () => {
  expect(inspectionText(INSPECTION, { layers: false })).toBe(`docker://ghcr.io/org/app:v1

linux/amd64
  digest       sha256:0123456789ab
  size         3.0 MB, 8.0 MB unpacked in 2 layers
  compression  gzip, zstd:chunked
  entrypoint   /bin/app --name 'a b'
  user         1000:1000
  directory    /srv
  ports        8080/tcp, 53/udp

linux/arm64
  digest  sha256:0123456789ab
  size    10 B, 4.0 MB unpacked in 1 layer

annotations
  org.opencontainers.image.source: https://example.com/app

application/vnd.oci.image.index.v1+json
${DIGEST}`);
});

test('layers when they are asked for, store paths without their hashes, all within 80 columns', () => {
  const lines = inspectionText(INSPECTION, { layers: true }).split('\n');
  expect(lines).toContain('    1  sha256:0123456789ab  1.5 MB, 4.0 MB unpacked, gzip');
  expect(lines).toContain('    2  sha256:0123456789ab  1.5 MB, 4.0 MB unpacked, zstd:chunked');
  expect(lines).toContain('       glibc-2.40');
  expect(lines).toContain('       root: merged packages, files and accounts');
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('a layer whose maker does not say how large it is unpacked leaves that out', () => {
  const [image] = INSPECTION.images;
  const images = image
    ? [{ ...image, layers: [{ ...layer, unpackedSize: null, storeSizes: [], storePaths: [] }] }]
    : [];
  expect(inspectionText({ ...INSPECTION, images }, { layers: false })).toContain('size         1.5 MB in 1 layer');
});
