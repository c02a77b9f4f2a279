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
  alone: undefined,
  rows: DISK_ROWS,
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
    [['--destinations'], { alone: 'destinations' }],
    [['--disk'], { alone: 'disk' }],
    [['--disk', '--rows', 'reading,commands'], { alone: 'disk', rows: ['reading', 'commands'] }],
    [['--ebs'], { alone: 'ebs' }],
    [['--threads', '2,16'], { alone: 'threads', threads: [2, 16] }],
    [['--serve'], { alone: 'serve' }],
    [['--pull'], { alone: 'pull' }],
    [['--load', '--docs'], { alone: 'load', docs: true }],
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
    [['--runs', '0'], '0 is not a number of runs'],
    [['--runs', 'many'], 'many is not a number of runs'],
    [['--speed'], '--speed'],
    [['--pull', '--threads', '2'], '--threads: is measured alone, without --pull'],
    [['--serve', '--docs'], '--docs: no page has it from --serve'],
  ])('%j is refused', (words, message) => {
    expect(() => parseOptions(words)).toThrow(message);
  });
});
