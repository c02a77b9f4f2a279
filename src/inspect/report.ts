import { z } from 'zod';
import { countText } from '../core/count.ts';
import { plainLine } from '../core/printable.ts';
import { shellWord } from '../core/shell.ts';
import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import { storePathName } from '../definition/store-path.ts';
import { shortDigest } from '../oci/digest.ts';
import type { InspectedReferrer } from './attached.ts';
import { referrerLines } from './attached-report.ts';
import type { InspectedDisk, InspectedImage, InspectedLayer, Inspection } from './inspected.ts';

/** Store paths shown of one layer; the rest is counted (`--json` has all). */
const PATHS_SHOWN = 8;

/** Columns before the store paths of a layer. */
const INDENT = '       ';

/** What people ask of a config first; whatever else it has, or has wrongly, is in `--json`. */
const shownConfigSchema = z.looseObject({
  Entrypoint: z.array(z.string()).nullish().catch(null),
  Cmd: z.array(z.string()).nullish().catch(null),
  User: z.string().nullish().catch(null),
  WorkingDir: z.string().nullish().catch(null),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish().catch(null),
  Volumes: z.record(z.string(), z.unknown()).nullish().catch(null),
});

interface ReportOptions {
  /** Whether each layer is listed with its store paths. */
  readonly layers: boolean;
  /** What refers to the image. */
  readonly referrers?: readonly InspectedReferrer[];
}

/**
 * An inspection as a person reads it: the platforms with their size and how they start, then, if asked for, annotations and
 * layers, and at the end the full digest. Texts come from whoever made the image; none may look like another line of this report.
 */
export function inspectionText(inspection: Inspection, { layers, referrers = [] }: ReportOptions): string {
  const { reference, images, mediaType, digest } = inspection;
  const annotations = Object.entries(inspection.annotations).map(([key, value]) => `  ${key}: ${value}`);
  const lines = [
    reference,
    ...images.flatMap((image) => imageLines(image, layers)),
    ...referrerLines(referrers, inspection),
    ...(annotations.length > 0 ? ['', 'annotations', ...annotations] : []),
    '',
    `${mediaType}`,
    digest,
  ];
  return lines.map(plainLine).join('\n');
}

function imageLines(image: InspectedImage, withLayers: boolean): string[] {
  const { platform, digest, config, disk, layers } = image;
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  const unpacked = layers.reduce((sum: number | null, layer) => add(sum, layer.unpackedSize), 0);
  const count = disk ? countText(disk.chunks, 'chunk') : countText(layers.length, 'layer');
  const facts = columns([
    ['  digest', shortDigest(digest)],
    ['  size', `${sizeText(size)}${disk || unpacked === null ? '' : `, ${sizeText(unpacked)} unpacked`} in ${count}`],
    ...compressionRows(layers),
    ...(disk ? diskRows(disk) : configRows(config)),
  ]);
  return ['', platform, ...facts, ...(withLayers ? ['', ...layers.flatMap(layerLines)] : [])];
}

/** How the layers are packed, each way once, the most frequent first; nothing of layers that do not say it. */
function compressionRows(layers: readonly InspectedLayer[]): [string, string][] {
  const counts = [...Map.groupBy(layers, ({ compression }) => compression)].flatMap(([name, of]) =>
    name === null ? [] : [{ name, count: of.length }],
  );
  const names = counts.sort((a, b) => b.count - a.count).map(({ name }) => name);
  return names.length === 0 ? [] : [['  compression', names.join(', ')]];
}

const add = (sum: number | null, size: number | null): number | null =>
  sum === null || size === null ? null : sum + size;

function configRows(config: unknown): [string, string][] {
  const { data } = shownConfigSchema.safeParse(config);
  const rows: [string, string | undefined | null][] = [
    ['  entrypoint', data?.Entrypoint?.map(shellWord).join(' ')],
    ['  command', data?.Cmd?.map(shellWord).join(' ')],
    ['  user', data?.User],
    ['  directory', data?.WorkingDir],
    ['  ports', data?.ExposedPorts && Object.keys(data.ExposedPorts).join(', ')],
    ['  volumes', data?.Volumes && Object.keys(data.Volumes).join(', ')],
  ];
  return rows.flatMap(([name, value]): [string, string][] => (value ? [[name, value]] : []));
}

const diskRows = ({ size, dataBytes, bootMode, partitions, identity }: InspectedDisk): [string, string][] => [
  ['  disk', `${sizeText(size)}, with ${sizeText(dataBytes)} of data`],
  ['  boots by', bootMode],
  ['  partitions', partitions.map(({ name, length }) => `${name} (${sizeText(length)})`).join(', ')],
  ['  identity', identity],
];

function layerLines(layer: InspectedLayer, at: number): string[] {
  const unpacked = layer.unpackedSize === null ? '' : `, ${sizeText(layer.unpackedSize)} unpacked`;
  const packed = layer.compression === null ? '' : `, ${layer.compression}`;
  const more = layer.storePaths.length - PATHS_SHOWN;
  return [
    `  ${String(at + 1).padStart(3)}  ${shortDigest(layer.digest)}  ${sizeText(layer.size)}${unpacked}${packed}`,
    ...layer.storePaths.slice(0, PATHS_SHOWN).map((path) => `${INDENT}${storePathName(path)}`),
    ...(more > 0 ? [`${INDENT}and ${more} more`] : []),
    ...(layer.comment === null ? [] : [`${INDENT}${layer.comment}`]),
  ];
}
