import { describe, expect, test } from 'vitest';
import { caseTable } from '../../../bench/report/case-table.ts';
import { figure, mebibytes, megabytes } from '../../../bench/report/figures.ts';
import { replaceMarked } from '../../../bench/report/marked-part.ts';
import { report } from '../../../bench/report/report.ts';
import { markdownTable } from '../../../bench/report/table.ts';
import { type Result, resultSchema } from '../../../bench/result.ts';
import { measurement, row } from './rows.ts';

test.each([
  [0, '0.000'],
  [0.0414, '0.041'],
  [1.234, '1.23'],
  [12.34, '12.3'],
  [1234.5, '1235'],
  [-12.34, '-12.3'],
])('figure(%d) is %s', (value, expected) => {
  expect(figure(value)).toBe(expected);
});

test('sizes', () => {
  expect([megabytes(2_537_000_000), megabytes(1_250_000), megabytes(8123), mebibytes(200 * 2 ** 20)]).toEqual([
    '2537',
    '1.3',
    '0.008',
    '200',
  ]);
});

test('a table aligns numbers to the right and escapes bars', () => {
  const columns = [
    { heading: 'who', cell: (text: string) => text },
    { heading: 'length', right: true, cell: (text: string) => String(text.length) },
  ];
  expect(markdownTable(columns, ['a|b'])).toBe('| who | length |\n| --- | ---: |\n| a\\|b | 3 |');
});

describe('caseTable', () => {
  const lines = caseTable([
    row({ subject: 'fast peer', wallSeconds: 10 }),
    row({ subject: 'slow peer', wallSeconds: 40, runs: 1 }),
    row({ subject: 'ours', kind: 'own', wallSeconds: 5 }),
  ]).split('\n');

  test('has ours first, then peers by time', () => {
    expect(lines.slice(2).map((line) => line.split(' | ')[0])).toEqual(['| **ours**', '| fast peer', '| slow peer']);
  });

  test('marks what ran once, and says how all stand against the best peer', () => {
    const cells = lines.slice(2).map((line) => line.split(' | '));
    expect(cells.map((all) => all[1])).toEqual(['5.00', '10.0', '40.0 ¹']);
    expect(cells.map((all) => all.at(-1))).toEqual(['2.00x |', '1.00x |', '0.250x |']);
  });
});

test('only what stands between the marks is replaced', () => {
  const page = 'before\n<!-- generated: bench -->\nold\n<!-- /generated -->\nafter\n';
  const expected = 'before\n<!-- generated: bench -->\n\nnew\n\n<!-- /generated -->\nafter\n';
  expect(replaceMarked(page, 'new')).toBe(expected);
  expect(replaceMarked(expected, 'new')).toBe(expected);
  expect(() => replaceMarked('no marks', 'new')).toThrow('has no <!-- generated');
});

describe('report', () => {
  const usage = { wallSeconds: 1, cpuSeconds: 1, largestProcess: 2 ** 20, tree: 2 ** 20 };
  const result: Result = {
    schemaVersion: 1,
    date: '2026-11-21T11:00:00.000Z',
    machine: { cpu: 'Some CPU', cores: 2, memoryBytes: 2 ** 30, kernel: '6.1', distribution: 'Debian', codename: 'x' },
    versions: { node: '24.0.0' },
    commit: 'abc',
    loadBefore: 0.1,
    fixture: { name: 'small', paths: 42, layers: 43, unpackedBytes: 65e6 },
    runs: 3,
    evaluation: usage,
    layersPass: { ...usage, wallSeconds: 4 },
    floors: { gzip: { readAndTar: 1, hashTar: 1, compress: 4, hashLayers: 0, send: 1, registry: 1 } },
    bounds: [{ name: 'cat', wallSeconds: 1, cpuSeconds: 1, outputBytes: 1e6, runs: 3 }],
    measurements: [
      measurement({ subject: 'nix-images gzip', kind: 'own', wallSeconds: 7 }),
      measurement({ subject: 'skopeo 1.0, layers, gzip', wallSeconds: 20 }),
    ],
    failures: [{ case: 'cold', subject: 'crane', message: 'crane ended with 1:\nError: no' }],
  };

  test('a result survives being kept', () => {
    expect(resultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
  });

  test('the floor is compared with our run without its evaluation', () => {
    expect(report(result)).toContain('| gzip | 1.00 | 1.00 | 4.00 | 0.000 | 1.00 | 1.00 | **4.00** | 6.00 | 1.50x |');
  });

  test('peers that push layers have evaluation and layers pass added', () => {
    expect(report(result)).toContain('| skopeo 1.0, layers, gzip | 1.00 | 4.00 | 20.0 | 25.0 |');
    expect(report(result)).toContain('| **nix-images gzip** | 1.00 |  | 6.00 | 7.00 |');
  });

  test('failures are told, and a busy machine', () => {
    expect(report(result)).toContain('- crane, cold: Error: no');
    expect(report(result)).not.toContain('provisional');
    expect(report({ ...result, loadBefore: 2 })).toContain('provisional');
  });
});
