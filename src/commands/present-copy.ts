import { countText } from '../core/count.ts';
import { docsData, docsOf, hintsOf, UserError } from '../core/error.ts';
import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import { shortDigest } from '../oci/digest.ts';
import { destinationData, failedDestinations, references } from '../publish/report.ts';
import type { PublishedTarget } from '../publish/target.ts';
import type { CopiedImage } from './copy-entry.ts';
import type { LineOutcome } from './copy-listed.ts';

/** What `copy` did. */
export type CopyResult =
  | { readonly kind: 'image'; readonly copied: CopiedImage }
  | { readonly kind: 'list'; readonly outcomes: readonly LineOutcome[] };

export const presentCopy = (result: CopyResult) =>
  result.kind === 'image' ? presentImage(result.copied) : presentList(result.outcomes);

function presentImage({ digest, mediaType, referrers, targets }: CopiedImage) {
  return {
    outputs: {
      digest,
      references: references(targets).join('\n'),
      failedDestinations: failedDestinations(targets).join('\n'),
    },
    data: { schemaVersion: 1, digest, mediaType, referrers, destinations: destinationData(targets) },
    text: [`${digest}${referrers > 0 ? `, with ${referrers} that refer to it` : ''}`, ...targets.map(targetText)].join(
      '\n',
    ),
  };
}

/** One line of what became of a target. */
const targetText = ({ name, tags, bytesSent, failure }: PublishedTarget): string =>
  failure === undefined
    ? `${name}: ${tags.join(', ')}, ${sizeText(bytesSent)} sent`
    : `${name}: not published, which is allowed: ${failure}`;

const HEADINGS = ['image', 'digest', 'referrers', 'to'] as const;

function presentList(outcomes: readonly LineOutcome[]) {
  const copied = outcomes.flatMap((outcome) => ('copied' in outcome ? [outcome.copied] : []));
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  const rows = copied.map((image) => ({ image, to: references(image.targets) }));
  const table = rows.map(({ image: { source, digest, referrers }, to }) => [
    source,
    shortDigest(digest),
    String(referrers),
    to.join(', '),
  ]);
  const left = copied
    .flatMap(({ targets }) => targets)
    .flatMap(({ name, failure }) => (failure === undefined ? [] : [`${name}: ${failure}`]));
  return {
    outputs: {
      digest: outcomes.length === 1 ? (copied[0]?.digest ?? '') : '',
      references: rows.flatMap(({ to }) => to).join('\n'),
      failedDestinations: copied.flatMap(({ targets }) => failedDestinations(targets)).join('\n'),
    },
    data: {
      schemaVersion: 1,
      images: outcomes.flatMap((outcome) =>
        'copied' in outcome ? [{ line: outcome.line, ...imageData(outcome.copied) }] : [],
      ),
      failed: failed.map(({ line, source, error }) => ({
        line,
        source,
        code: error.code,
        message: error.message,
        ...docsData(error),
      })),
    },
    text: [
      ...columns([HEADINGS, ...table], [2]),
      ...left.map((line) => `not copied, which is allowed: ${line}`),
      '',
      `${countText(copied.length, 'image')} of ${outcomes.length} copied`,
    ].join('\n'),
    summary: [
      markdownTable(
        HEADINGS,
        rows.map(({ image: { source, digest, referrers }, to }) => [
          codeMarkdown(source),
          codeMarkdown(shortDigest(digest)),
          String(referrers),
          to.map(codeMarkdown).join('<br>'),
        ]),
      ),
      ...(failed.length > 0
        ? [
            '### Not copied\n',
            ...failed.map(({ source, error }) => `- ${codeMarkdown(source)}: ${plainMarkdown(error.message)}`),
            '',
          ]
        : []),
    ].join('\n'),
    ...(failed.length > 0 ? { failure: failureOf(failed, outcomes.length) } : {}),
  };
}

const imageData = ({ source, digest, mediaType, referrers, targets }: CopiedImage) => ({
  source,
  digest,
  mediaType,
  referrers,
  destinations: destinationData(targets),
});

function failureOf(failed: readonly Extract<LineOutcome, { error: UserError }>[], all: number): UserError {
  const list = failed.map(({ line, source, error }) => `\n  line ${line}, ${source}: ${error.message}`).join('');
  const [first] = failed;
  const errors = failed.map(({ error }) => error);
  return new UserError(first?.error.code ?? 'registry', `${failed.length} of ${all} images are not copied:${list}`, {
    hint: hintsOf(errors) ?? 'See the log.',
    docs: docsOf(errors),
  });
}
