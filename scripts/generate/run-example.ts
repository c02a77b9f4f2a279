import { presentPlan } from '../../src/commands/present-plan.ts';
import { presentPublish } from '../../src/commands/present-publish.ts';
import type { PublishedImage } from '../../src/commands/publish-image.ts';
import { layerAnnotations } from '../../src/definition/layer-record.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/media-type.ts';
import { SYSTEMS, type System } from '../../src/oci/system.ts';
import type { Plan, PlannedImage } from '../../src/plan/plan.ts';

/**
 * A run of two images as the program shows it, for docs/workflow-run.md and the picture of a summary. The data are made up,
 * in the sizes of a small Python service; every line is the program's own.
 */

const digest = (what: string): Digest => digestOf(Buffer.from(what));

const MEGABYTE = 1_000_000;

/** Layers whose sizes are given packed and unpacked, in megabytes. */
const layersOf = (what: string, sizes: readonly (readonly [number, number])[]): Descriptor[] =>
  sizes.map(([packed, unpacked], at) => ({
    mediaType: MEDIA_TYPE.layerGzip,
    digest: digest(`${what} ${at}`),
    size: packed * MEGABYTE,
    annotations: layerAnnotations({
      key: digest(`${what} ${at}`).replace('sha256:', ''),
      diffId: digest(`${what} ${at} unpacked`),
      unpackedSize: unpacked * MEGABYTE,
      storeHashes: [],
    }),
  }));

const LAYERS: Readonly<Record<System, readonly (readonly [number, number])[]>> = {
  'x86_64-linux': [
    [11.4, 31.2],
    [16.9, 58.1],
    [0.4, 1.3],
  ],
  'aarch64-linux': [
    [11.1, 30.8],
    [16.2, 57.4],
    [0.4, 1.3],
  ],
};

const publishedImage = (name: string): PublishedImage => ({
  name,
  published: {
    index: { bytes: Buffer.alloc(2), mediaType: MEDIA_TYPE.index, digest: digest(`${name} index`) },
    platforms: SYSTEMS.map((system) => ({
      system,
      digest: digest(`${name} ${system}`),
      layers: layersOf(`${name} ${system}`, LAYERS[system]),
      config: { mediaType: MEDIA_TYPE.config, digest: digest(`${name} ${system} config`), size: 800 },
      tests: null,
      bytesSent: 0,
    })),
  },
  targets: [
    { name: `docker://ghcr.io/org/${name}`, kind: 'registry', tags: ['main', 'sha-c80d8e7', 'latest'], bytesSent: 0 },
  ],
  packages: [
    {
      name: `ghcr.io/org/${name}`,
      isPublic: true,
      settings: `https://github.com/orgs/org/packages/container/${name}/settings`,
    },
  ],
});

const plannedImage = (name: string, isBuilt: boolean, reason: 'new' | 'changed'): PlannedImage => ({
  name,
  tag: null,
  why: `nixImages.<system>.${name} is an image definition`,
  source: { flake: '.', file: null },
  jobs: SYSTEMS.map((system) => ({
    system,
    buildSystem: null,
    kind: 'definition',
    attr: `nixImages.${system}.${name}`,
    key: digest(`${name} ${system} key`).replace('sha256:', ''),
    published: isBuilt ? null : digest(`${name} ${system}`),
    ...(isBuilt ? { reason } : {}),
  })),
  missing: [],
});

const planOf = (images: readonly PlannedImage[]): Plan => ({
  schemaVersion: 3,
  call: '0123abcd',
  plannedAt: '2026-11-28T12:00:00Z',
  to: ['ghcr.io/org/{name}'],
  images: [...images],
  leftOut: [],
  problems: [],
});

const planText = (images: readonly PlannedImage[]): string =>
  presentPlan({
    planned: planOf(images),
    include: [],
    shared: { lines: [], jobs: [] },
    output: '',
    isPublished: true,
    isStep: true,
    allowBroken: false,
  }).text;

const shown = (text: string): string => `\`\`\`console\n${text.trim()}\n\`\`\``;

const quoted = (markdown: string): string =>
  markdown
    .trim()
    .split('\n')
    .map((line) => `> ${line}`.trimEnd())
    .join('\n');

/** What the job `Publish` writes to the run's summary of the image `app`, as Markdown. */
export const exampleSummary = (): string => presentPublish({ kind: 'image', image: publishedImage('app') }).summary;

/** The parts of docs/workflow-run.md that are the program's own words, by the name of their marker. */
export const runExample = (): Readonly<Record<string, string>> => ({
  'first plan': shown(planText([plannedImage('app', true, 'new'), plannedImage('tool', true, 'new')])),
  'second plan': shown(planText([plannedImage('app', true, 'changed'), plannedImage('tool', false, 'new')])),
  publish: shown(presentPublish({ kind: 'image', image: publishedImage('app') }).text),
  summary: quoted(exampleSummary()),
});
