import { box, picture, rule, text } from './svg.ts';

/** The summary of a run: a heading, a table of platforms, and lines below it. */
interface Summary {
  readonly name: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly lines: readonly string[];
}

/** As GitHub shows it: no marks of code and links, entities as their letters, and digests as short as a narrow window has them. */
const plain = (markdown: string): string =>
  markdown
    .replaceAll(/`|<\/?code>/g, '')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll(/(sha256:[0-9a-f]{8})[0-9a-f]+/g, '$1…')
    .trim();

const cellsOf = (line: string): string[] => line.split('|').slice(1, -1).map(plain);

/** Reads the Markdown that `publish` writes. Throws where it is none. */
function readSummary(markdown: string): Summary {
  const lines = markdown.split('\n').filter((line) => line !== '');
  const [name = ''] = lines.filter((line) => line.startsWith('### '));
  const [head = '', , ...rows] = lines.filter((line) => line.startsWith('|'));
  if (name === '' || rows.length === 0) throw new Error('this is not the summary of a publish');
  const rest = lines.filter((line) => !/^[|#]/.test(line)).map((line) => plain(line.replace(/^- /, '• ')));
  return { name: plain(name.slice(4)), head: cellsOf(head), rows: rows.map(cellsOf), lines: rest };
}

const WIDTH = 760;
const ROW = 30;

/** Left edges of columns whose widths follow the longest cell. */
function edgesOf(table: readonly (readonly string[])[]): number[] {
  const widths = (table[0] ?? []).map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)) + 3);
  const letter = (WIDTH - 56) / widths.reduce((sum, width) => sum + width, 0);
  let edge = 34;
  return widths.map((width) => {
    const left = edge;
    edge += width * letter;
    return Math.round(left);
  });
}

/** What GitHub shows below a run of the summary that is given as Markdown. */
export function renderSummaryPicture(markdown: string): string {
  const { name, head, rows, lines } = readSummary(markdown);
  const edges = edgesOf([head, ...rows]);
  const parts = [text(24, 40, name, { bold: true, size: 18 }), box(24, 58, WIDTH - 48, ROW, 'band')];
  [head, ...rows].forEach((row, at) => {
    const y = 58 + at * ROW;
    parts.push(
      ...row.map((cell, column) =>
        text(edges[column] ?? 0, y + 20, cell, { bold: at === 0, size: 13, mono: /^sha256:/.test(cell) }),
      ),
    );
    parts.push(rule(24, y + ROW, WIDTH - 48));
  });
  let y = 58 + (rows.length + 1) * ROW + 28;
  for (const line of lines) {
    parts.push(text(24, y, line, { size: 13, mono: /sha256:|:\/\//.test(line) }));
    y += 24;
  }
  return picture(WIDTH, y + 4, `The summary of a run that published the image ${name}`, parts);
}
