import { describe, expect, test } from 'vitest';
import { durationText } from '../../../src/core/time.ts';
import { createProgressBoard, LIVE, SPARSE } from '../../../src/host/progress.ts';

const boardWith = (timing: typeof LIVE) => {
  const clock = { time: 1000 };
  const events: string[] = [];
  const view = {
    show: (lines: readonly string[]) => events.push(lines.join(' · ')),
    clear: () => events.push('(clear)'),
    print: (text: string) => events.push(`> ${text}`),
  };
  return { clock, events, board: createProgressBoard(view, { now: () => clock.time, ...timing }) };
};

describe('a live line', () => {
  test('is written at once, then at most ten times a second', () => {
    const { clock, events, board } = boardWith(LIVE);
    const progress = board.start('layers', 1000);
    for (let done = 1; done <= 1000; done += 1) {
      clock.time += 1;
      progress.update(done);
    }
    expect(events).toHaveLength(11);
    expect(events[0]).toBe('layers 0%');
    expect(events.at(-1)).toBe('layers 100%, 1.0 kB of 1.0 kB, 1.0 kB/s');
  });

  test('is cleared at the end, and the closing text stays', () => {
    const { events, board } = boardWith(LIVE);
    const progress = board.start('push');
    progress.end('pushed 3 layers');
    progress.end('only once');
    expect(events).toEqual(['push', '(clear)', '> pushed 3 layers in 0.0 s']);
  });

  test('shows all running work', () => {
    const { clock, events, board } = boardWith(LIVE);
    board.start('a', 4);
    clock.time += 100;
    const second = board.start('b');
    clock.time += 100;
    second.update(3, '1 of 2 layers');
    expect(events).toEqual(['a 0%', 'a 0% · b', 'a 0% · b (1 of 2 layers), 3 B']);
    second.end();
    expect(events).toHaveLength(3);
  });

  test('has the parts in hand below it, each with its own bytes, rate and time left', () => {
    const { clock, events, board } = boardWith(LIVE);
    const progress = board.start('layers', 100e6);
    const first = progress.part('openssl', 40e6);
    const second = progress.part('files of the image', 0);
    clock.time += 2000;
    first.update(10e6);
    second.update(5e6);
    progress.update(15e6, '0/2');
    first.end();
    clock.time += 1000;
    progress.update(45e6, '1/2');
    expect(events.slice(1)).toEqual([
      [
        'layers 15% (0/2), 15.0 MB of 100.0 MB, 7.5 MB/s, 11 s left',
        '  openssl 25%, 10.0 MB of 40.0 MB, 5.0 MB/s, 6.0 s left',
        '  files of the image, 5.0 MB, 2.5 MB/s',
      ].join(' · '),
      'layers 45% (1/2), 45.0 MB of 100.0 MB, 15.0 MB/s, 3.7 s left ·   files of the image, 5.0 MB, 1.7 MB/s',
    ]);
  });

  test('shows eight parts of many', () => {
    const { clock, events, board } = boardWith(LIVE);
    const progress = board.start('layers');
    for (let at = 0; at < 20; at++) progress.part(`layer ${at}`);
    clock.time += 100;
    progress.update(1);
    expect(events.at(-1)?.match(/layer \d+/g)).toHaveLength(8);
  });

  test('is not rewritten oftener for many short pieces of work', () => {
    const { clock, events, board } = boardWith(LIVE);
    for (let index = 0; index < 1000; index += 1) {
      clock.time += 1;
      board.start(`piece ${index}`).end();
    }
    expect(events.filter((event) => event.startsWith('piece'))).toHaveLength(10);
  });
});

describe('sparse lines', () => {
  test('has what has most left of much work, and counts the rest', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, at) => board.start(name, 10 * (at + 1)));
    clock.time += 10_000;
    all[5]?.update(59);
    expect(events).toEqual(['e 0% · d 0% · c 0% · b 0% · and 2 more at work']);
    all[0]?.end();
    all[1]?.end();
    clock.time += 10_000;
    all[2]?.update(0);
    expect(events[1]?.split(' · ').map((one) => one.split(/[ ,]/)[0])).toEqual(['c', 'd', 'e', 'f']);
  });

  test('come every ten seconds, not before the first ten', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const progress = board.start('upload', 60e6);
    for (let second = 1; second <= 35; second += 1) {
      clock.time += 1000;
      progress.update(second * 1e6, `${second} of 60`);
    }
    expect(events).toEqual([
      'upload 16% (10 of 60), 10.0 MB of 60.0 MB, 1.0 MB/s, 50 s left',
      'upload 33% (20 of 60), 20.0 MB of 60.0 MB, 1.0 MB/s, 40 s left',
      'upload 50% (30 of 60), 30.0 MB of 60.0 MB, 1.0 MB/s, 30 s left',
    ]);
  });

  test('have no parts', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const progress = board.start('upload');
    progress.part('layer', 5).update(2);
    clock.time += 10_000;
    progress.update(2);
    expect(events).toEqual(['upload, 2 B, 0 B/s']);
  });

  test('say nothing of short work but its closing text', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const progress = board.start('upload', 60);
    clock.time += 9999;
    progress.update(59);
    progress.end('done');
    expect(events).toEqual(['(clear)', '> done in 10 s']);
  });
});

test.each<[string, number | undefined, number, string | undefined, string]>([
  ['share', 8, 2, undefined, 'x 25%, 2 B of 8 B'],
  ['share and detail', 8, 2, '2 of 8', 'x 25% (2 of 8), 2 B of 8 B'],
  ['more than announced', 8, 9, undefined, 'x 100%, 9 B of 8 B'],
  ['nothing to do', 0, 0, undefined, 'x'],
  ['bytes of nobody knows how many', undefined, 7000, undefined, 'x, 7.0 kB'],
  ['the same with detail', undefined, 7000, '7 layers', 'x (7 layers), 7.0 kB'],
])('%s', (_name, total, done, detail, expected) => {
  const { clock, events, board } = boardWith(LIVE);
  const progress = board.start('x', total);
  clock.time += 100;
  progress.update(done, detail);
  expect(events.at(-1)).toBe(expected);
});

test('a line of layers fits a terminal of 80 columns', () => {
  const { clock, events, board } = boardWith(LIVE);
  const progress = board.start('aarch64-linux: layers', 1_234_567_890);
  clock.time += 100_000;
  progress.update(234_567_890, '12/127');
  expect(events.at(-1)).toBe('aarch64-linux: layers 18% (12/127), 234.6 MB of 1.2 GB, 2.3 MB/s, 7 min 6 s left');
  expect(events.at(-1)?.length).toBeLessThanOrEqual(80);
});

test.each([
  [0, '0.0 s'],
  [420, '0.4 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [59_400, '59 s'],
  [59_600, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_780_000, '1 h 3 min'],
])('%i ms are %s', (milliseconds, expected) => {
  expect(durationText(milliseconds)).toBe(expected);
});
