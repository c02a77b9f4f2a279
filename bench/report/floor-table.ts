import { type Steps, twoCoreFloor } from '../floor.ts';
import type { Result } from '../result.ts';
import type { Row } from '../summary.ts';
import { figure } from './figures.ts';
import { markdownTable } from './table.ts';

interface Line {
  readonly codec: string;
  readonly steps: Steps;
  readonly own: Row | undefined;
}

/** CPU of each step alone, the floor that follows, and our own cold run (its evaluation left out) against it. */
export function floorTable({ floors, evaluation }: Result, cold: readonly Row[]): string {
  const lines = Object.entries(floors).map(([codec, steps]): Line => {
    const own = cold.find((row) => row.kind === 'own' && row.subject === `nix-images ${codec}`);
    return { codec, steps, own };
  });
  const step = (heading: string, name: keyof Steps) => ({
    heading: `${heading} s`,
    right: true,
    cell: ({ steps }: Line) => figure(steps[name]),
  });
  const wall = ({ own }: Line): number | undefined => (own ? own.wallSeconds - evaluation.wallSeconds : undefined);
  return markdownTable(
    [
      { heading: 'codec', cell: ({ codec }) => codec },
      step('read + tar', 'readAndTar'),
      step('SHA-256 of tar', 'hashTar'),
      step('compress', 'compress'),
      step('SHA-256 of layers', 'hashLayers'),
      step('send', 'send'),
      step('registry', 'registry'),
      { heading: 'floor s', right: true, cell: ({ steps }) => `**${figure(twoCoreFloor(steps).wallSeconds)}**` },
      { heading: 'ours s', right: true, cell: (line) => optional(wall(line)) },
      {
        heading: 'ours / floor',
        right: true,
        cell: (line) => {
          const own = wall(line);
          return own === undefined ? '' : `${figure(own / twoCoreFloor(line.steps).wallSeconds)}x`;
        },
      },
    ],
    lines,
  );
}

const optional = (value: number | undefined): string => (value === undefined ? '' : figure(value));
