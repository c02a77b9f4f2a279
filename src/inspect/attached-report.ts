import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import { shortDigest } from '../oci/digest.ts';
import type { InspectedReferrer } from './attached.ts';
import type { Inspection } from './inspected.ts';

/** What a referrer is about: a platform by its name, or the index. */
function subjectText({ subject }: InspectedReferrer, { digest, images }: Inspection): string {
  const image = images.find((one) => one.digest === subject);
  return image?.platform ?? (subject === digest ? 'index' : shortDigest(subject));
}

const typeText = ({ artifactType, mediaType, tag }: InspectedReferrer): string =>
  `${artifactType ?? mediaType}${tag === null ? '' : ` (.${tag.split('.').at(-1)})`}`;

/** Lines of a report on what refers to an image; none where nothing does. */
export function referrerLines(referrers: readonly InspectedReferrer[], inspection: Inspection): string[] {
  if (referrers.length === 0) return [];
  const rows = referrers.map((one) => [
    `  ${typeText(one)}`,
    shortDigest(one.digest),
    sizeText(one.size),
    subjectText(one, inspection),
    one.created ?? '',
  ]);
  return ['', 'referrers', ...columns(rows)];
}

const IMAGE_HEADINGS = ['platform', 'digest', 'size', 'layers'];
const REFERRER_HEADINGS = ['referrer', 'digest', 'size', 'of', 'created'];

/** An inspection as Markdown: its platforms, and what refers to it. */
export function inspectionSummary(inspection: Inspection, referrers: readonly InspectedReferrer[]): string {
  const images = inspection.images.map(({ platform, digest, layers }) => [
    plainMarkdown(platform),
    codeMarkdown(shortDigest(digest)),
    sizeText(layers.reduce((sum, { size }) => sum + size, 0)),
    String(layers.length),
  ]);
  const attached = referrers.map((one) => [
    codeMarkdown(typeText(one)),
    codeMarkdown(shortDigest(one.digest)),
    sizeText(one.size),
    plainMarkdown(subjectText(one, inspection)),
    plainMarkdown(one.created ?? ''),
  ]);
  return [
    `### ${codeMarkdown(inspection.reference)}`,
    '',
    markdownTable(IMAGE_HEADINGS, images),
    ...(attached.length > 0 ? [markdownTable(REFERRER_HEADINGS, attached)] : []),
    codeMarkdown(inspection.digest),
    '',
  ].join('\n');
}
