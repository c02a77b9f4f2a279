import { UserError } from '../core/error.ts';
import { overBudgetText } from '../preview/budget.ts';
import { type Preview, previewText } from '../preview/preview-text.ts';
import type { StickyOutcome } from '../preview/sticky.ts';
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
  | { readonly kind: 'closed'; readonly number: number };

export function presentPreview(result: PreviewResult) {
  if (result.kind === 'closed') {
    const told = `pull request ${result.number} is closed`;
    return { outputs: { overBudget: '', json: '' }, data: { schemaVersion: 1, state: 'closed' }, text: told };
  }
  const { preview, comment, error } = result;
  const over = preview.images.filter((image) => image.over.length > 0);
  const failure = error ?? budgetError(over);
  const images = preview.images.map(({ name, pull, byDigest, diff }) => ({ name, pull, byDigest, diff }));
  const data = { schemaVersion: 1, state: 'open', number: preview.number, comment, images };
  return {
    outputs: { overBudget: over.map(({ name }) => name).join('\n'), json: JSON.stringify(data) },
    data,
    text: preview.images.map(({ name, pull, note }) => `${name}: ${note ?? pull}`).join('\n'),
    summary: previewText(preview, SUMMARY_LIMIT, 'The output json has the whole report.').text,
    ...(failure === undefined ? {} : { failure }),
  };
}

function budgetError(over: Preview['images']): UserError | undefined {
  if (over.length === 0) return undefined;
  const what = over.flatMap((image) => image.over.map((one) => `${image.name} for ${overBudgetText(one)}`));
  return new UserError('test', what.join('\n'), {
    hint: 'Look at what was added in the summary; to allow it, raise the input budget.',
    docs: 'previews.md',
  });
}
