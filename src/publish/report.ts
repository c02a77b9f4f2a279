import { platformOf, platformText } from '../image/system.ts';
import { type Child, compressedSize, unpackedSize } from './child.ts';
import type { PublishedIndex } from './publish-index.ts';
import type { Target } from './target.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes as people read them, in powers of 1000: `62.2 MB`. */
export function sizeText(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), UNITS.length - 1);
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${UNITS[power]}`;
}

const HEADINGS = ['platform', 'digest', 'layers', 'compressed', 'unpacked', 'sent'];

const row = (child: Child): string[] => {
  const unpacked = unpackedSize(child.parsed.layers);
  return [
    platformText(platformOf(child.system)),
    child.manifest.digest,
    String(child.parsed.layers.length),
    sizeText(compressedSize(child.parsed.layers)),
    unpacked === undefined ? 'unknown' : sizeText(unpacked),
    sizeText(child.bytesSent),
  ];
};

/** `docker://ghcr.io/org/app:v1`, for every tag of every target. */
export const references = (targets: readonly Target[]): string[] =>
  targets.flatMap(({ repository, tags }) => tags.map((tag) => `${repository.name}:${tag}`));

/** What a person sees after a publish: a table of the platforms, the index and where it is. */
export function publishText(published: PublishedIndex, targets: readonly Target[]): string {
  const rows = [HEADINGS, ...published.children.map(row)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  const table = rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...table, '', `index ${published.index.digest}`, ...references(targets)].join('\n');
}

/** The same as Markdown, for a job's summary. */
export function publishSummary(name: string, published: PublishedIndex, targets: readonly Target[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const code = (text: string): string => `\`${text}\``;
  return [
    `### ${name}`,
    '',
    line(HEADINGS),
    line(HEADINGS.map(() => '---')),
    ...published.children
      .map(row)
      .map(([platform = '', digest = '', ...rest]) => line([platform, code(digest), ...rest])),
    '',
    `Index ${code(published.index.digest)}`,
    '',
    ...references(targets).map((reference) => `- ${code(reference)}`),
    '',
  ].join('\n');
}

/** The same as data, for `--json`; sizes in bytes. */
export const publishData = (name: string, published: PublishedIndex, targets: readonly Target[]) => ({
  schemaVersion: 1,
  name,
  digest: published.index.digest,
  mediaType: published.index.mediaType,
  platforms: published.children.map((child) => ({
    system: child.system,
    platform: platformText(platformOf(child.system)),
    digest: child.manifest.digest,
    layers: child.parsed.layers.length,
    compressedSize: compressedSize(child.parsed.layers),
    unpackedSize: unpackedSize(child.parsed.layers) ?? null,
    bytesSent: child.bytesSent,
  })),
  destinations: targets.map(({ repository, tags }) => ({
    name: repository.name,
    tags,
    bytesSent: repository.bytesSent,
  })),
});
