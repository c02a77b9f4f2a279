import type { Command } from '../../src/host/command.ts';
import { renderCommandTable } from './action.ts';
import { declaredRows } from './declared.ts';
import { renderFieldTable } from './field-table.ts';
import { replaceGenerated } from './markdown.ts';
import { renderBenchChart } from './pictures/bench-chart.ts';
import { renderCommentPicture } from './pictures/comment.ts';
import { renderSummaryPicture } from './pictures/summary.ts';
import { examplePreview } from './preview-example.ts';
import { exampleSummary, runExample } from './run-example.ts';

/** Texts of the repository by path; undefined for those that are not there. */
export type ReadText = (path: string) => string | undefined;

const HEADS = {
  inputs: ['Input', 'Type', 'Default', 'What it is'],
  secrets: ['Secret', 'What it is'],
  outputs: ['Output', 'What it is'],
};

/** Pages written by hand with tables of what a file declares. */
const DECLARED: Readonly<Record<string, string>> = {
  'docs/workflow.md': 'workflows/images.yml',
  'docs/previews.md': 'workflows/preview.yml',
  'docs/rebuild.md': 'workflows/rebuild.yml',
  'docs/one-step.md': 'actions/root/action.yml',
  'actions/setup/README.md': 'actions/setup/action.yml',
};

/** Shows a run in the program's own words. */
const RUN_PAGE = 'docs/workflow-run.md';

/** Pictures, and the page whose figures each shows. */
const PICTURES: Readonly<Record<string, readonly [page: string, render: (page: string) => string]>> = {
  'docs/pictures/bench.svg': ['docs/benchmarks.md', renderBenchChart],
  'docs/pictures/comment.svg': ['docs/previews.md', () => renderCommentPicture(examplePreview())],
  'docs/pictures/summary.svg': [RUN_PAGE, () => renderSummaryPicture(exampleSummary())],
};

/** Files that `renderMarkedPages` and `renderPictures` read. */
export const MARKED_SOURCES: readonly string[] = [
  'README.md',
  ...Object.entries(DECLARED).flat(),
  ...Object.values(PICTURES).map(([page]) => page),
];

/** The pictures of the pages; those whose page is not there are left out. */
export const renderPictures = (read: ReadText): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(PICTURES).flatMap(([path, [source, render]]) => {
      const page = read(source);
      return page === undefined ? [] : [[path, render(page)]];
    }),
  );

/** The pages that are written by hand but for parts between markers, which are filled in; those that are not there are left out. */
export const renderMarkedPages = (commands: readonly Command[], read: ReadText): Readonly<Record<string, string>> => {
  const pages: Record<string, string> = {};
  const readme = read('README.md');
  if (readme !== undefined) pages['README.md'] = replaceGenerated(readme, 'commands', renderCommandTable(commands));
  const run = read(RUN_PAGE);
  if (run !== undefined) {
    pages[RUN_PAGE] = Object.entries(runExample()).reduce((text, part) => replaceGenerated(text, ...part), run);
  }
  for (const [path, source] of Object.entries(DECLARED)) {
    const [page, declared] = [read(path), read(source)];
    if (page === undefined || declared === undefined) continue;
    pages[path] = (['inputs', 'secrets', 'outputs'] as const).reduce(
      (text, name) => replaceGenerated(text, name, renderFieldTable(HEADS[name], declaredRows(declared, name))),
      page,
    );
  }
  return pages;
};
