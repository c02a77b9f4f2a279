import { box, type Fill, picture, text } from './svg.ts';

/** The tables of docs/benchmarks.md that the chart shows, and what it calls them. */
const CASES = [
  ['Cold: an empty registry', 'First push'],
  ['Nothing changed, on a fresh runner', 'Nothing changed, fresh runner'],
  ['One leaf changed, on a fresh runner', 'One package changed, fresh runner'],
] as const;

const FILLS: Readonly<Record<string, Fill>> = {
  'nix-images gzip': 'own',
  'nix-images zstd': 'own-too',
  'skopeo gzip': 'other',
  'skopeo zstd': 'other-too',
};

interface Bar {
  readonly who: string;
  readonly seconds: number;
  /** As the page writes it. */
  readonly shown: string;
}

/** The bars of one table: who, and the seconds in its second column. Throws where the page has no such table. */
function barsOf(page: string, heading: string): Bar[] {
  const at = page.indexOf(`### ${heading}`);
  if (at === -1) throw new Error(`docs/benchmarks.md has no table "${heading}"`);
  const [, ...rows] = (page.slice(at).split('\n\n')[1] ?? '').split('\n');
  return rows.flatMap((row) => {
    const [, who = '', seconds = ''] = row.split('|').map((cell) => cell.replaceAll('*', '').trim());
    const name = who.replace(/^(skopeo) [\d.]+, layers, /, '$1 ');
    const shown = seconds.replace(/[¹~]/g, '');
    return name in FILLS ? [{ who: name, seconds: Number(shown), shown }] : [];
  });
}

const WIDTH = 760;
const LEFT = 150;
const FULL = 500;
const BAR = 18;
const STEP = 24;

/** The chart of the README: seconds of a push, short bars are good. `page` is docs/benchmarks.md. */
export function renderBenchChart(page: string): string {
  const groups = CASES.map(([heading, title]) => ({ title, bars: barsOf(page, heading) }));
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ seconds }) => seconds)));
  const parts = [
    text(20, 32, 'Seconds until an image is at the registry (shorter is better)', { bold: true, size: 15 }),
  ];
  let y = 62;
  for (const { title, bars } of groups) {
    parts.push(text(20, y, title, { colour: 'dim', size: 13 }));
    y += 12;
    for (const { who, seconds, shown } of bars) {
      const length = Math.max(2, Math.round((seconds / most) * FULL));
      parts.push(
        text(LEFT - 10, y + 14, who, { anchor: 'end', size: 13 }),
        box(LEFT, y, length, BAR, FILLS[who] ?? 'other'),
      );
      parts.push(text(LEFT + length + 8, y + 14, `${shown} s`, { size: 13 }));
      y += STEP;
    }
    y += 22;
  }
  return picture(WIDTH, y, 'Seconds that nix-images and skopeo take to bring an image to a registry', parts);
}
