import { UserError } from '../core/error.ts';
import { codeMarkdown, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { overBudgetText } from '../preview/budget.ts';
import { type Preview, previewText } from '../preview/preview-text.ts';
import type { StickyOutcome } from '../preview/sticky.ts';
import type { Cleaned } from './preview-clean.ts';
import type { ClosedPull, Swept } from './preview-close.ts';
import { SUMMARY_LIMIT } from './preview-report.ts';

/** What `preview` did. */
export type PreviewResult =
  | {
      readonly kind: 'report';
      readonly preview: Preview;
      readonly comment: StickyOutcome['kind'] | 'none';
      /** Why there is no comment although there should be. */
      readonly error: UserError | undefined;
    }
  | { readonly kind: 'closed'; readonly closed: ClosedPull }
  | { readonly kind: 'swept'; readonly swept: Swept };

export function presentPreview(result: PreviewResult) {
  if (result.kind === 'closed') return presentClosed(result.closed);
  if (result.kind === 'swept') return presentSwept(result.swept);
  const { preview, comment, error } = result;
  const over = preview.images.filter((image) => image.over.length > 0);
  const failure = error ?? budgetError(over);
  const images = preview.images.map(({ name, pull, byDigest, diff }) => ({ name, pull, byDigest, diff }));
  const data = { schemaVersion: 1, state: 'open', number: preview.number, comment, images };
  return {
    outputs: { overBudget: over.map(({ name }) => name).join('\n'), removed: '', json: JSON.stringify(data) },
    data,
    text: preview.images.map(({ name, pull, note }) => `${name}: ${note ?? pull ?? 'not published'}`).join('\n'),
    summary: previewText(preview, SUMMARY_LIMIT, 'The output json has the whole report.').text,
    ...(failure === undefined ? {} : { failure }),
  };
}

function presentClosed({ number, isOpen, ...cleaned }: ClosedPull) {
  const heading = isOpen ? `pull request ${number} is open: nothing is removed` : `pull request ${number} is closed`;
  return presentCleaned(cleaned, { schemaVersion: 1, state: isOpen ? 'open' : 'closed', number }, heading);
}

const presentSwept = ({ numbers, ...cleaned }: Swept) =>
  presentCleaned(cleaned, { schemaVersion: 1, state: 'swept', numbers }, 'Previews of closed pull requests');

function presentCleaned({ repositories, error }: Cleaned, about: object, heading: string) {
  const removed = repositories.flatMap(({ repository, removed: tags }) => tags.map((tag) => `${repository}:${tag}`));
  const left = repositories.flatMap(({ repository, left: tags }) =>
    tags.map(({ tag, why }) => [`${repository}:${tag}`, why] as const),
  );
  const data = { ...about, repositories };
  const lines = [
    ...removed.map((name) => `removed ${name}`),
    ...left.map(([name, why]) => `${name} is still there: ${why}`),
  ];
  const marked = [
    ...removed.map((name) => `- ${codeMarkdown(name)} removed\n`),
    ...left.map(([name, why]) => `- ${codeMarkdown(name)}: ${plainMarkdown(why)}\n`),
  ];
  return {
    outputs: { overBudget: '', removed: removed.join('\n'), json: JSON.stringify(data) },
    data,
    text: [heading, ...(lines.length > 0 ? lines : ['nothing was there to remove'])].map(plainLine).join('\n'),
    summary: `### ${plainMarkdown(heading)}\n\n${marked.join('') || 'Nothing was there to remove.\n'}`,
    ...(error === undefined ? {} : { failure: error }),
  };
}

function budgetError(over: Preview['images']): UserError | undefined {
  if (over.length === 0) return undefined;
  const what = over.flatMap((image) => image.over.map((one) => `${image.name} for ${overBudgetText(one)}`));
  return new UserError('test', what.join('\n'), {
    hint: 'Look at what was added in the summary; to allow it, raise the input budget.',
    docs: 'previews.md#budget',
  });
}
