import type { Result } from '../result.ts';
import type { Row } from '../summary.ts';
import { figure } from './figures.ts';
import { markdownTable } from './table.ts';

interface Way {
  readonly who: string;
  readonly evaluation: number;
  readonly layers: number | undefined;
  readonly push: number;
}

/**
 * Cold, from the definition to the registry. Ours does all in one command; a peer that pushes layers has them made first, for
 * which `layersPass` stands.
 */
export function wholeWay({ evaluation, layersPass }: Result, cold: readonly Row[]): string {
  const evaluated = evaluation.wallSeconds;
  const ways = cold.flatMap((row): Way[] => {
    if (row.kind === 'own') {
      return [
        { who: `**${row.subject}**`, evaluation: evaluated, layers: undefined, push: row.wallSeconds - evaluated },
      ];
    }
    if (!row.subject.includes(', layers,')) return [];
    return [{ who: row.subject, evaluation: evaluated, layers: layersPass.wallSeconds, push: row.wallSeconds }];
  });
  const total = (way: Way): number => way.evaluation + (way.layers ?? 0) + way.push;
  return markdownTable(
    [
      { heading: 'who', cell: (way) => way.who },
      { heading: 'evaluation s', right: true, cell: (way) => figure(way.evaluation) },
      { heading: 'layers pass s', right: true, cell: (way) => (way.layers === undefined ? '' : figure(way.layers)) },
      { heading: 'push s', right: true, cell: (way) => figure(way.push) },
      { heading: 'in all s', right: true, cell: (way) => figure(total(way)) },
    ],
    ways.sort((a, b) => total(a) - total(b)),
  );
}
