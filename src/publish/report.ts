import { codeMarkdown, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { sizeText } from '../core/size.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import { recordText } from '../test-run/report.ts';
import { compressedSize, unpackedSize } from './platform-image.ts';
import type { PublishedIndex, PublishedPlatform } from './publish-index.ts';
import type { Target } from './target.ts';

export const PLATFORM_HEADINGS = ['platform', 'digest', 'layers', 'compressed', 'unpacked', 'sent'];

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

/** What became of the tests, one line a platform that has any. */
const testLines = ({ platforms }: PublishedIndex): string[] =>
  platforms.flatMap(({ system, tests }) => {
    const line = tests ? recordText(tests) : '';
    return line === '' ? [] : [plainLine(`${platformText(platformOf(system))} ${line}`)];
  });

/** `docker://ghcr.io/org/app:v1`, for every tag of every target. */
export const references = (targets: readonly Target[]): string[] =>
  targets.flatMap(({ repository, tags }) => tags.map((tag) => plainLine(`${repository.name}:${tag}`)));

/** What was published, by a digest that its place holds. */
interface Held {
  readonly what: 'index' | 'image';
  readonly digest: string;
  readonly mediaType: string;
}

/** The index, or the config where there are only archives for docker: they hold no index, and docker names images by it. */
export function heldOf({ index, platforms }: PublishedIndex, targets: readonly Target[]): Held {
  const config = targets.every(({ kind }) => kind === 'docker-archive') ? platforms[0]?.config : undefined;
  if (config) return { what: 'image', digest: config.digest, mediaType: config.mediaType };
  return { what: 'index', digest: index.digest, mediaType: index.mediaType };
}

/** What a person sees after a publish: a table of the platforms, the index and where it is. */
export function publishText(published: PublishedIndex, targets: readonly Target[]): string {
  const rows = [PLATFORM_HEADINGS, ...published.platforms.map(row)];
  const widths = PLATFORM_HEADINGS.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  const table = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const { what, digest } = heldOf(published, targets);
  return [...table, ...testLines(published), '', `${what} ${digest}`, ...references(targets)].join('\n');
}

/** For digests, which hold nothing that would end it. */
const code = (digest: string): string => `\`${digest}\``;

/** A Markdown table; digests in code type. */
export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  const body = rows.map((cells) => cells.map((cell) => (cell.startsWith('sha256:') ? code(cell) : cell)));
  return [headings, headings.map(() => '---'), ...body].map(line).join('');
}

/** The same as Markdown, for a job's summary. */
export const publishSummary = (name: string, published: PublishedIndex, targets: readonly Target[]): string =>
  [
    `### ${plainMarkdown(name)}`,
    '',
    markdownTable(PLATFORM_HEADINGS, published.platforms.map(row)),
    ...testLines(published).map((line) => `${plainMarkdown(line)}\n`),
    `${heldOf(published, targets).what === 'index' ? 'Index' : 'Image'} ${code(heldOf(published, targets).digest)}`,
    '',
    ...references(targets).map((reference) => `- ${codeMarkdown(reference)}`),
    '',
  ].join('\n');

/** The same as data, for `--json`; sizes in bytes, null of an image that was live already and was not asked about. */
export const publishData = (name: string, published: PublishedIndex, targets: readonly Target[]) => ({
  schemaVersion: 1,
  name,
  digest: heldOf(published, targets).digest,
  mediaType: heldOf(published, targets).mediaType,
  platforms: published.platforms.map(({ system, digest, layers, bytesSent, tests }) => ({
    system,
    platform: platformText(platformOf(system)),
    digest,
    layers: layers?.length ?? null,
    compressedSize: layers ? compressedSize(layers) : null,
    unpackedSize: (layers && unpackedSize(layers)) ?? null,
    bytesSent,
    tests,
  })),
  destinations: targets.map(({ repository, tags }) => ({
    name: repository.name,
    tags,
    bytesSent: repository.bytesSent,
  })),
});
