import { countText } from '../core/count.ts';
import { codeMarkdown, plainMarkdown } from '../core/markdown.ts';
import type { ImageDiff } from '../diff/image-diff.ts';
import { diffMarkdown } from '../diff/markdown.ts';
import { changeLines, changeTable, type LockChange } from './lock-change.ts';
import { OWN_TRAILER } from './own-commits.ts';

/** One image of the report. */
export interface ImageReport {
  readonly name: string;
  /** Null where the contents could not be compared; `notes` say why. */
  readonly diff: ImageDiff | null;
  /** Sentences: what does not evaluate any more, what could not be compared. */
  readonly notes: readonly string[];
  /** Whether it had a system for which it does not evaluate now, or is gone. */
  readonly isBroken: boolean;
}

/** What a pull request is made of. */
export interface UpdateReport {
  /** Names of the files that changed, relative to the repository. */
  readonly files: readonly string[];
  readonly changes: readonly LockChange[];
  readonly images: readonly ImageReport[];
}

/** `Update nixpkgs`, `Update nixpkgs and 2 more inputs`. Of the inputs that were written, those of the root first. */
export function updateTitle({ changes }: Pick<UpdateReport, 'changes'>): string {
  const names = changes.map(({ name }) => name).sort((a, b) => a.split('/').length - b.split('/').length);
  const [first = 'inputs', ...more] = names;
  if (more.length === 0) return `Update ${first}`;
  return more.length === 1 ? `Update ${first} and ${more[0]}` : `Update ${first} and ${more.length} more inputs`;
}

/** Characters of a title that git and GitHub show in one line. */
const TITLE_LENGTH = 72;

/** Subject and body of the commit; the body ends with the line by which an update knows its own. */
export function updateMessage(report: Pick<UpdateReport, 'changes'>): { headline: string; body: string } {
  return {
    headline: updateTitle(report).slice(0, TITLE_LENGTH),
    body: `${changeLines(report.changes).join('\n')}\n\n${OWN_TRAILER}`,
  };
}

/** GitHub takes 65,536 characters; what it does with its own marks and entities is left room for. */
const BODY_LIMIT = 60_000;

/** Rows of each image's table, the most first. */
const ROWS = [200, 80, 30, 10, 3] as const;

/** How the runs of a pull request start that a job's own token opened (docs.github.com, "Triggering a workflow from a workflow"). */
const OWN_TOKEN_NOTE =
  'This pull request was opened with the token of a workflow run, so its checks wait until somebody with write access approves them. Runs that are ' +
  "dispatched by hand do not count for branch protection. With a GitHub App's token the checks start by themselves.";

interface BodyOptions {
  /** Whether the token is that of a job, GITHUB_TOKEN. */
  readonly isJobToken: boolean;
  /** Of the run, where there is one. */
  readonly runUrl: string | undefined;
}

/** The pull request's text: inputs, then what changed in each image. Always below GitHub's limit: rows are dropped first, then images. */
export function updateBody(report: UpdateReport, { isJobToken, runUrl }: BodyOptions): string {
  const { files, changes, images } = report;
  const notes = isJobToken ? `> ${OWN_TOKEN_NOTE}\n` : '';
  const opening = `Updates ${files.map(codeMarkdown).join(' and ')}.\n\n`;
  const inputs = wholeLines(changeTable(changes), BODY_LIMIT / 2);
  const head = `${opening}${inputs}\n## What changed in each image\n\n`;
  const room = BODY_LIMIT - head.length - notes.length - MORE_LENGTH;
  const run = runUrl === undefined ? '' : ` The [run](${runUrl}) has all of it.`;
  return `${head}${fittingSections(images, room, run)}${notes}`;
}

/** Room for the line that says how many images are not shown. */
const MORE_LENGTH = 1000;

const total = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);

function fittingSections(images: readonly ImageReport[], room: number, run: string): string {
  let sections: readonly string[] = [];
  for (const rows of ROWS) {
    sections = images.map((image) => `${imageMarkdown(image, rows)}\n`);
    if (total(sections) <= room) return sections.join('');
  }
  let text = '';
  let shown = 0;
  for (const section of sections) {
    if (text.length + section.length > room) break;
    text += section;
    shown += 1;
  }
  return `${text}${countText(sections.length - shown, 'more image')} changed.${run}\n\n`;
}

/** As many lines from the top as have so many characters together. */
function wholeLines(text: string, most: number): string {
  if (text.length <= most) return text;
  const kept = text.slice(0, text.lastIndexOf('\n', most) + 1);
  return `${kept}\n${countText(text.split('\n').length - kept.split('\n').length, 'more input')}\n`;
}

function imageMarkdown({ name, diff, notes }: ImageReport, rows: number): string {
  const heading = diff === null ? `### ${plainMarkdown(name)}\n` : diffMarkdown(name, diff, rows);
  return [heading, ...notes.map((note) => `${plainMarkdown(note)}\n`)].join('\n');
}
