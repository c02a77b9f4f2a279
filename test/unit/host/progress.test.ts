import { describe, expect, test } from 'vitest';
import { createProgressBoard, LIVE, SPARSE } from '../../../src/host/progress.ts';

const boardWith = (timing: typeof LIVE) => {
  const clock = { time: 1000 };
  const events: string[] = [];
  const view = {
    show: (text: string) => events.push(text),
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
    expect(events.at(-1)).toBe('layers 100%');
  });

  test('is cleared at the end, and the closing text stays', () => {
    const { events, board } = boardWith(LIVE);
    const progress = board.start('push');
    progress.end('pushed 3 layers');
    progress.end('only once');
    expect(events).toEqual(['push', '(clear)', '> pushed 3 layers']);
  });

  test('shows all running work', () => {
    const { clock, events, board } = boardWith(LIVE);
    board.start('a', 4);
    clock.time += 100;
    const second = board.start('b');
    clock.time += 100;
    second.update(3, '3 MB');
    expect(events).toEqual(['a 0%', 'a 0% · b', 'a 0% · b 3 MB']);
    second.end();
    expect(events).toHaveLength(3);
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
  test('come every ten seconds, not before the first ten', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const progress = board.start('upload', 60);
    for (let second = 1; second <= 35; second += 1) {
      clock.time += 1000;
      progress.update(second, `${second} MB`);
    }
    expect(events).toEqual(['upload 16% (10 MB)', 'upload 33% (20 MB)', 'upload 50% (30 MB)']);
  });

  test('say nothing of short work but its closing text', () => {
    const { clock, events, board } = boardWith(SPARSE);
    const progress = board.start('upload', 60);
    clock.time += 9999;
    progress.update(59);
    progress.end('done');
    expect(events).toEqual(['(clear)', '> done']);
  });
});

test.each<[string, number | undefined, number, string | undefined, string]>([
  ['share', 8, 2, undefined, 'x 25%'],
  ['share and detail', 8, 2, '2 of 8', 'x 25% (2 of 8)'],
  ['more than announced', 8, 9, undefined, 'x 100%'],
  ['nothing to do', 0, 0, undefined, 'x'],
  ['count', undefined, 7, undefined, 'x 7'],
  ['detail', undefined, 7, '7 MB', 'x 7 MB'],
])('%s', (_name, total, done, detail, expected) => {
  const { clock, events, board } = boardWith(LIVE);
  const progress = board.start('x', total);
  clock.time += 100;
  progress.update(done, detail);
  expect(events.at(-1)).toBe(expected);
});
