import { tryDecodeJson } from '../core/decode-json.ts';
import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { shellWord } from '../core/shell.ts';
import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import { layerData, layerSummary, layerText, type ShownLayers } from '../image/layer-table.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { shortDigest } from '../oci/digest.ts';
import { isDisk } from '../oci/disk-artifact.ts';
import { indexSchema } from '../oci/manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import { recordText } from '../test-run/report.ts';
import { compressedSize, unpackedSize } from './platform-image.ts';
import type { PublishedIndex, PublishedPlatform } from './publish-index.ts';
import type { PublishedTarget } from './target.ts';

/** What is shown of what was published. */
export type Shown = Pick<PublishedIndex, 'index' | 'platforms'>;

const PLATFORM_HEADINGS = ['platform', 'digest', 'layers', 'compressed', 'unpacked', 'sent'];

/** What a table says of one platform's image; `bytesSent` over all destinations. */
export function platformRow(
  system: System,
  digest: string,
  layers: readonly Descriptor[] | undefined,
  bytesSent: number,
): string[] {
  const unpacked = layers && unpackedSize(layers);
  return [
    platformText(platformOf(system)),
    digest,
    layers ? String(layers.length) : 'unchanged',
    layers ? sizeText(compressedSize(layers)) : '–',
    layers ? (unpacked === undefined ? 'unknown' : sizeText(unpacked)) : '–',
    sizeText(bytesSent),
  ];
}

const row = ({ system, digest, layers, bytesSent }: PublishedPlatform): string[] =>
  platformRow(system, digest, layers, bytesSent);

/** What became of the layers of each platform that was built just now. */
const layerTables = ({ platforms }: Shown, tableOf: (shown: ShownLayers) => string) =>
  platforms.flatMap((platform) => {
    const table = tableOf(platform);
    return table === '' ? [] : [{ platform: `layers for ${platformText(platformOf(platform.system))}`, table }];
  });

/** What became of the tests, one line for each platform with tests. */
const testLines = ({ platforms }: Shown): string[] =>
  platforms.flatMap(({ system, tests }) => {
    const line = tests ? recordText(tests) : '';
    return line === '' ? [] : [plainLine(`${platformText(platformOf(system))} ${line}`)];
  });

/** `docker://ghcr.io/org/app:v1`, for every tag of every target. */
export const references = (targets: readonly PublishedTarget[]): string[] =>
  targets.flatMap(({ name, tags }) => tags.map((tag) => plainLine(`${name}:${tag}`)));

/** What the output of that name is. */
export const FAILED_DESTINATIONS = 'Destinations with `may-fail` where the image is not, one per line.';

/** Where an image is not, which was allowed. */
export const failedDestinations = (targets: readonly PublishedTarget[]): string[] =>
  targets.flatMap(({ name, failure }) => (failure === undefined ? [] : [plainLine(name)]));

/** What `--json` says of each destination; `failure` only where there is one. */
export const destinationData = (targets: readonly PublishedTarget[]) =>
  targets.map(({ name, tags, bytesSent, failure }) => ({
    name,
    tags,
    bytesSent,
    ...(failure === undefined ? {} : { failure }),
  }));

const failureLines = (targets: readonly PublishedTarget[]): string[] =>
  targets.flatMap(({ name, failure }) => (failure === undefined ? [] : plainLine(`${name}: ${failure}`)));

/** What was published, by a digest that its place holds. */
interface Held {
  readonly what: 'index' | 'image';
  readonly digest: string;
  readonly mediaType: string;
}

/** The index, or the config where there are only archives for docker: they hold no index, and docker names images by it. */
export function heldOf({ index, platforms }: Shown, targets: readonly Pick<PublishedTarget, 'kind'>[]): Held {
  const config = targets.every(({ kind }) => kind === 'docker-archive') ? platforms[0]?.config : undefined;
  if (config) return { what: 'image', digest: config.digest, mediaType: config.mediaType };
  return { what: 'index', digest: index.digest, mediaType: index.mediaType };
}

/** Columns of numbers. */
const NUMBERS = [2, 3, 4, 5];

/** All platforms together, where there are several; unknown where one is. */
function totalRow({ platforms }: Shown): string[][] {
  if (platforms.length < 2 || !platforms.some(({ layers }) => layers)) return [];
  const sum = (of: (platform: PublishedPlatform) => number | undefined): number | undefined =>
    platforms.reduce<number | undefined>((all, platform) => {
      const one = of(platform);
      return all === undefined || one === undefined ? undefined : all + one;
    }, 0);
  const size = (bytes: number | undefined): string => (bytes === undefined ? '' : sizeText(bytes));
  return [
    [
      'total',
      '',
      String(sum(({ layers }) => layers?.length) ?? ''),
      size(sum(({ layers }) => layers && compressedSize(layers))),
      size(sum(({ layers }) => layers && unpackedSize(layers))),
      size(sum(({ bytesSent }) => bytesSent)),
    ],
  ];
}

/** Whether what was published are disks of virtual machines. */
const areDisks = ({ index }: Pick<Shown, 'index'>): boolean =>
  tryDecodeJson(index.bytes, indexSchema)?.manifests.some(isDisk) ?? false;

/**
 * The command that runs what was published, of a registry by its digest; undefined where there is nothing to name. podman
 * makes a name of the path of a file, and names have no capitals.
 */
function runCommand(published: Shown, targets: readonly PublishedTarget[]): string | undefined {
  const registry = targets.find(({ kind, failure }) => kind === 'registry' && failure === undefined);
  if (registry) {
    const name = plainLine(registry.name.replace(/^docker:\/\//, ''));
    if (areDisks(published)) return `nix-images pull ${shellWord(`${name}@${published.index.digest}`)} disk.raw`;
    return `podman run --rm ${shellWord(`${name}@${published.index.digest}`)}`;
  }
  const file = targets.find(({ failure }) => failure === undefined);
  const [tag] = file?.tags ?? [];
  if (!file || tag === undefined) return undefined;
  const { name } = file;
  if (areDisks(published)) return `nix-images pull ${shellWord(plainLine(`${name}:${tag}`))} disk.raw`;
  const place = plainLine(file.kind === 'docker-archive' ? name : `${name}:${tag}`);
  const copied = 'localhost/image';
  return /^[^A-Z]*$/.test(name)
    ? `podman run --rm ${shellWord(place)}`
    : `skopeo copy ${shellWord(place)} containers-storage:${copied} && podman run --rm ${copied}`;
}

/** What a person sees after a publish: a table of the platforms, the index and where it is, and how to run it, unless it is nothing that is run here (`isRun`). */
export function publishText(published: Shown, targets: readonly PublishedTarget[], isRun = true): string {
  const rows = published.platforms.map((platform) => row({ ...platform, digest: shortDigest(platform.digest) }));
  const { what, digest } = heldOf(published, targets);
  const command = isRun ? runCommand(published, targets) : undefined;
  const how = areDisks(published) ? 'fetch it' : 'run it';
  return [
    ...columns([PLATFORM_HEADINGS, ...rows, ...totalRow(published)], NUMBERS),
    ...layerTables(published, layerText).flatMap(({ platform, table }) => ['', platform, table]),
    ...testLines(published),
    '',
    `${what} ${digest}`,
    ...references(targets),
    ...failureLines(targets).map((line) => `not published, which is allowed: ${line}`),
    ...(command === undefined ? [] : [`${how}: ${command}`]),
  ].join('\n');
}

/** For digests, which hold nothing that would end it. */
const code = (digest: string): string => `\`${digest}\``;

/** The platforms as a Markdown table; digests in code type. */
export const platformTable = (rows: readonly (readonly string[])[]): string =>
  markdownTable(
    PLATFORM_HEADINGS,
    rows.map((cells) => cells.map((cell) => (cell.startsWith('sha256:') ? code(cell) : cell))),
  );

/** The same as Markdown, for a job's summary. */
export const publishSummary = (name: string, published: Shown, targets: readonly PublishedTarget[]): string =>
  [
    `### ${plainMarkdown(name)}`,
    '',
    platformTable(published.platforms.map(row)),
    ...layerTables(published, layerSummary).map(({ platform, table }) => `${plainMarkdown(platform)}\n\n${table}`),
    ...testLines(published).map((line) => `${plainMarkdown(line)}\n`),
    `${heldOf(published, targets).what === 'index' ? 'Index' : 'Image'} ${code(heldOf(published, targets).digest)}`,
    '',
    ...references(targets).map((reference) => `- ${codeMarkdown(reference)}`),
    ...failureLines(targets).map((line) => `- Not published, which is allowed: ${plainMarkdown(line)}`),
    '',
  ].join('\n');

/** The same as data, for `--json`; sizes in bytes, null of an image that was live already and was not asked about. */
export const publishData = (name: string, published: Shown, targets: readonly PublishedTarget[]) => ({
  schemaVersion: 1,
  name,
  digest: heldOf(published, targets).digest,
  mediaType: heldOf(published, targets).mediaType,
  platforms: published.platforms.map(({ system, digest, layers, bytesSent, outcomes, tests }) => ({
    system,
    platform: platformText(platformOf(system)),
    digest,
    layers: layers?.length ?? null,
    compressedSize: layers ? compressedSize(layers) : null,
    unpackedSize: (layers && unpackedSize(layers)) ?? null,
    bytesSent,
    layerReport: layerData({ outcomes, bytesSent }) ?? null,
    tests,
  })),
  destinations: destinationData(targets),
});
