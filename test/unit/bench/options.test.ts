import { describe, expect, test } from 'vitest';
import { CASE_NAMES } from '../../../bench/cases.ts';
import { DISK_ROWS } from '../../../bench/disk/rows.ts';
import { parseOptions } from '../../../bench/options.ts';

const usual = {
  fixture: 'large',
  cases: CASE_NAMES,
  subjects: [],
  runs: 3,
  bounds: true,
  destinations: false,
  disk: false,
  rows: DISK_ROWS,
  ebs: false,
  serve: false,
  load: false,
  pull: false,
  fleet: false,
  threads: [],
  docs: false,
  render: undefined,
};

describe('parseOptions', () => {
  test.each([
    [[], {}],
    [['--quick'], { fixture: 'small', runs: 1 }],
    [['--quick', '--fixture', 'large', '--runs', '2'], { runs: 2 }],
    [['--cases', 'cold,leaf'], { cases: ['cold', 'leaf'] }],
    [
      ['--subject', 'nix-images', '--subject', '=crane 1, layers', '--no-bounds'],
      { subjects: ['nix-images', '=crane 1, layers'], bounds: false },
    ],
    [['--destinations'], { destinations: true }],
    [['--disk'], { disk: true }],
    [['--disk', '--rows', 'reading,commands'], { disk: true, rows: ['reading', 'commands'] }],
    [['--ebs'], { ebs: true }],
    [['--threads', '2,16'], { threads: [2, 16] }],
    [['--serve'], { serve: true }],
    [['--pull'], { pull: true }],
    [['--load', '--docs'], { load: true, docs: true }],
    [['--docs', '--render', 'a.json'], { docs: true, render: 'a.json' }],
  ])('%j', (words, expected) => {
    expect(parseOptions(words)).toEqual({ ...usual, ...expected });
  });

  test.each([
    [['--fixture', 'huge'], 'huge is none of small, large'],
    [['--fixture', 'toString'], 'toString is none of small, large'],
    [['--cases', 'cold,warm'], 'warm is none of cold, unchanged'],
    [['--disk', '--rows', 'reading,speed'], 'speed is none of changes, chunks'],
    [['--threads', '2,17'], '17 is not a number of threads from 1 to 16'],
    [['--runs', '0'], '0 is no number of runs'],
    [['--runs', 'many'], 'many is no number of runs'],
    [['--speed'], '--speed'],
  ])('%j is refused', (words, message) => {
    expect(() => parseOptions(words)).toThrow(message);
  });
});
