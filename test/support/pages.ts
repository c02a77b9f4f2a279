import { readTree, type SourceFile } from './source-files.ts';

/** A fenced block of a page. */
export interface Snippet {
  /** `docs/tags.md:12`, the line of its fence. */
  readonly at: string;
  readonly page: string;
  /** What stands behind the fence, such as `nix image`; empty where there is nothing. */
  readonly kind: string;
  readonly text: string;
}

/** Pages that only the tests' own folders hold are for nobody to read as documentation. */
const isPage = ({ path }: SourceFile): boolean => path.endsWith('.md') && !path.startsWith('test/');

/** Every page of the repository. */
export const readPages = async (): Promise<SourceFile[]> => (await readTree('.')).filter(isPage);

/** The fenced blocks of a page. Throws where one has no end. */
export function snippetsOf({ path, text }: SourceFile): Snippet[] {
  const snippets: Snippet[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const [, quote = '', indent = '', fence, kind = ''] = /^((?:> ?)*)( *)(`{3,})(.*)$/.exec(lines[at] ?? '') ?? [];
    if (fence === undefined) continue;
    const end = lines.findIndex((line, other) => other > at && line.trim() === `${quote.trim()}${fence}`.trim());
    if (end === -1) throw new Error(`${path}:${at + 1}: the block has no end`);
    const body = lines
      .slice(at + 1, end)
      .map((line) => line.slice(quote.length).replace(new RegExp(`^ {0,${indent.length}}`), ''));
    snippets.push({ at: `${path}:${at + 1}`, page: path, kind: kind.trim(), text: `${body.join('\n')}\n` });
    at = end;
  }
  return snippets;
}

/** A page without its fenced blocks, whose lines are blank, so that the others keep their numbers. */
export function proseOf(page: SourceFile): string {
  let fence = '';
  return page.text
    .split('\n')
    .map((line) => {
      const [, marks = ''] = /^(?:> ?)* *(`{3,})/.exec(line) ?? [];
      const isInside = fence !== '' || marks !== '';
      if (marks !== '') fence = fence === '' ? marks : '';
      return isInside ? '' : line;
    })
    .join('\n');
}

/** GitHub's anchor of a heading's text, before it is told from an equal one above it. */
const slug = (heading: string): string =>
  heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]|<[^>]*>/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');

/** The anchors of a page's headings, as GitHub makes them, and those that the page names itself (`<a id="…">`). */
export function anchorsOf(page: SourceFile): ReadonlySet<string> {
  const anchors = new Set<string>();
  const prose = proseOf(page);
  for (const [, heading = ''] of prose.matchAll(/^#{1,6} +(.+?)(?: +#+)?$/gm)) {
    const base = slug(heading);
    let anchor = base;
    for (let number = 1; anchors.has(anchor); number += 1) anchor = `${base}-${number}`;
    anchors.add(anchor);
  }
  for (const [, id = ''] of prose.matchAll(/<a id="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** Where a page's links and pictures lead, but for those to other sites. */
export function linksOf(page: SourceFile): string[] {
  const prose = proseOf(page).replaceAll(/(?<!\[)`[^`\n]*`/g, '');
  const links = [...prose.matchAll(/\]\(<?([^)\s>]+)>?\)|(?:src|srcset|href)="([^"]+)"/g)];
  return links.map(([, first, second]) => first ?? second ?? '').filter((to) => !/^(?:https?:|mailto:)/.test(to));
}

/** The words of a shell line as bash splits them, as far as pages need it: quotes, but nothing that a shell replaces. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+/g)) {
    if (word.startsWith('#')) break;
    words.push(
      word.replaceAll(/'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g, (_, single, double, plain) => single ?? double ?? plain),
    );
  }
  return words;
}

/** The commands of a shell snippet, continued lines joined, each as its words. */
export const commandsOf = (text: string): string[][] =>
  text
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .flatMap((line) => splitAt(shellWords(line), ['&&', '||', ';', '|']))
    .filter((words) => words.length > 0);

function splitAt(words: readonly string[], marks: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  for (const word of words) {
    if (marks.includes(word)) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts;
}

const RELEASE = 'github:org/nix-images/v1';

/** What `nix-images` is given by a command, however the page starts it; undefined for other programs. */
export function ownWords(words: readonly string[]): readonly string[] | undefined {
  // Variables may come before the program.
  const start = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const [program = '', ...rest] = words.slice(start);
  if (program === 'nix-images') return rest;
  if (program === 'npx') return rest[0] === 'nix-images' ? rest.slice(1) : undefined;
  const end = rest.indexOf('--');
  if (program === 'npm' && rest[0] === 'run' && rest[1] === 'cli') return rest.slice(end + 1);
  if (program === 'nix' && rest.includes('run') && rest.includes(RELEASE) && end !== -1) return rest.slice(end + 1);
  return undefined;
}
