import { box, picture, rule, text } from './svg.ts';

const WIDTH = 820;
const LEFT = 28;
const ROW = 28;
const LINE = 26;

/** As GitHub shows it: entities as their letters, no marks, and digests as short as a narrow window has them. */
const plain = (markdown: string): string =>
  markdown
    .replaceAll(/\*\*|`|<\/?code>/g, '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]+/g, '$1…')
    .trim();

const cellsOf = (line: string): string[] => line.split('|').slice(1, -1).map(plain);

/** A table, from `y` on; columns are as wide as their longest cells. */
function table(rows: readonly (readonly string[])[], y: number): { readonly parts: string[]; readonly height: number } {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)) + 3);
  const letter = Math.min(9, (WIDTH - 2 * LEFT - 20) / widths.reduce((sum, width) => sum + width, 0));
  const edges = widths.map((_, at) => LEFT + 10 + widths.slice(0, at).reduce((sum, width) => sum + width, 0) * letter);
  const parts = rows.flatMap((row, at) => [
    ...(at === 0 ? [box(LEFT, y, WIDTH - 2 * LEFT, ROW, 'band')] : []),
    ...row.map((cell, column) =>
      text(Math.round(edges[column] ?? 0), y + at * ROW + 19, cell, {
        size: 13,
        bold: at === 0,
        mono: at > 0 && column > 0,
      }),
    ),
    rule(LEFT, y + (at + 1) * ROW, WIDTH - 2 * LEFT),
  ]);
  return { parts, height: rows.length * ROW };
}

/** The comment on a pull request as GitHub shows it, with what is folded opened. */
export function renderCommentPicture(markdown: string): string {
  const parts: string[] = [];
  let y = 24;
  let rows: string[][] = [];
  const endTable = (): void => {
    if (rows.length === 0) return;
    const drawn = table(rows, y - 14);
    parts.push(...drawn.parts);
    y += drawn.height + 8;
    rows = [];
  };
  const write = (content: string, style: Parameters<typeof text>[3], height = LINE): void => {
    parts.push(text(LEFT, y + 4, content, style));
    y += height;
  };
  for (const line of markdown.split('\n')) {
    if (line.startsWith('|')) {
      if (!line.startsWith('| ---')) rows.push(cellsOf(line));
      continue;
    }
    endTable();
    const folded = /^<details><summary>(.*)<\/summary>/.exec(line)?.[1];
    if (line.startsWith('## ')) write(plain(line.slice(3)), { bold: true, size: 20 }, 34);
    else if (line.startsWith('### ')) write(plain(line.slice(4)), { bold: true, size: 17 }, 30);
    else if (folded !== undefined) write(`▾ ${plain(folded)}`, { size: 14 });
    else if (line.startsWith('docker ')) {
      parts.push(box(LEFT, y - 16, WIDTH - 2 * LEFT, 32, 'band'));
      write(`  ${line}`, { mono: true, size: 13 }, 40);
    } else if (line !== '' && !/^```|^<\/details>/.test(line)) write(plain(line), { size: 14 });
  }
  endTable();
  return picture(
    WIDTH,
    y + 10,
    'The comment on a pull request: how to pull the image, sizes, and the packages that changed',
    parts,
  );
}
