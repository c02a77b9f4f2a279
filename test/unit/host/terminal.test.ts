import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { describeFailure } from '../../../src/host/failure.ts';
import { createMask } from '../../../src/host/mask.ts';
import { createTerminal, wantsColour } from '../../../src/host/terminal.ts';

interface Options {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly colour?: boolean;
  readonly verbose?: boolean;
}

const ERASE = '\r\u001b[K';

const open = ({ isTTY = false, columns = 40, colour = false, verbose = false }: Options = {}) => {
  const clock = { time: 0 };
  const written: string[] = [];
  const stderr = { write: (text: string) => written.push(text), isTTY, columns };
  const terminal = createTerminal({ stderr, mask: createMask(), now: () => clock.time, colour, verbose });
  return { ...terminal, clock, output: () => written.join('') };
};

describe('the log', () => {
  test('writes lines, groups as headings, and warnings', async () => {
    const { log, output } = open();
    const result = await log.group('Building', async () => {
      log.info('one');
      log.warn('two\nthree');
      return 7;
    });
    expect(result).toBe(7);
    expect(output()).toBe('Building\none\nwarning: two\n  three\n');
  });

  test.each([
    [false, ''],
    [true, 'detail\n'],
  ])('with verbose %s debug lines are %j', (verbose, expected) => {
    const { log, output } = open({ verbose });
    log.debug('detail');
    expect(output()).toBe(expected);
  });

  test('hides secrets in whatever it writes', async () => {
    const { log, output, showFailure, clock } = open({ isTTY: true, verbose: true });
    log.mask('hunter2');
    log.info('a hunter2');
    log.warn('b hunter2');
    log.debug('c hunter2');
    await log.group('d hunter2', async () => {});
    const progress = log.progress('e hunter2', 2);
    clock.time += 1000;
    progress.update(1, 'f hunter2');
    progress.end('g hunter2');
    const cause = new Error('i hunter2');
    showFailure(describeFailure(new UserError('registry', 'h hunter2', { hint: 'j hunter2', cause })));
    showFailure(describeFailure(new Error('k hunter2')));
    expect(output()).not.toContain('hunter');
    for (const letter of 'abcdefghij') expect(output()).toContain(`${letter} ***`);
  });

  test.each([
    ['cursor moves', 'a\u001b[2Jb\u001b[1;1Hc', 'abc\n'],
    ['colours', '\u001b[31mred\u001b[0m', 'red\n'],
    ['titles', 'a\u001b]0;title\u0007b', 'ab\n'],
    ['bells and backspaces', 'a\u0007b\bc', 'abc\n'],
    ['carriage returns', '10%\r20%\r\nx', '10% 20%\nx\n'],
    ['line ends of others', 'a\u2028b\u2029c\u0085d\ve\ff', 'a b c d e f\n'],
    ['marks that turn letters round', 'a\u202etxt.exe\u2066b\u200f', 'atxt.exeb\n'],
    ['letters that are not shown', 'a\u200bb\u00adc\ufeffd', 'abcd\n'],
    ['tabs stay', 'a\tb', 'a\tb\n'],
  ])('takes out of foreign text: %s', (_name, text, expected) => {
    const { log, output } = open();
    log.info(text);
    expect(output()).toBe(expected);
  });

  test('colours only where it is told to', () => {
    const { log, output } = open({ colour: true });
    log.warn('x');
    expect(output()).toBe('\u001b[33mwarning:\u001b[0m x\n');
  });
});

describe('progress on a terminal', () => {
  test('is one line, cleared before other output', () => {
    const { log, output, clock } = open({ isTTY: true });
    const progress = log.progress('push', 4);
    log.info('note');
    clock.time += 100;
    progress.update(2);
    progress.end('pushed');
    expect(output()).toBe(`${ERASE}push 0%${ERASE}note\n${ERASE}push 50%, 2 B of 4 B${ERASE}pushed in 0.1 s\n`);
  });

  test('is cut to the width', () => {
    const { log, output } = open({ isTTY: true, columns: 12 });
    log.progress('a very long label');
    expect(output()).toBe(`${ERASE}a very lon…`);
  });

  test('does not show the rest of a secret that is cut', () => {
    const { log, output } = open({ isTTY: true, columns: 12 });
    log.mask('secretsecretsecret');
    log.progress('a secretsecretsecret');
    expect(output()).toBe(`${ERASE}a ***`);
  });

  test('is taken away at the end', () => {
    const { log, output, close } = open({ isTTY: true });
    log.progress('push');
    close();
    close();
    expect(output()).toBe(`${ERASE}push${ERASE}`);
  });

  test('is sparse lines without a terminal', () => {
    const { log, output, clock } = open();
    const progress = log.progress('push', 4e6);
    progress.update(1e6);
    clock.time += 10_000;
    progress.update(2e6);
    progress.end('pushed');
    expect(output()).toBe('push 50%, 2.0 MB of 4.0 MB, 200.0 kB/s, 10 s left\npushed in 10 s\n');
  });
});

test.each<[boolean, Record<string, string>, boolean]>([
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { TERM: 'dumb' }, false],
])('terminal %s with %j: colour %s', (isTTY, variables, expected) => {
  expect(wantsColour({ write: () => {}, isTTY }, (name) => variables[name])).toBe(expected);
});

describe('live lines', () => {
  const UP = '\u001b[A';

  /** Layers in hand on a terminal of some rows, shown twice and then ended. */
  const shown = (rows: number, live?: boolean) => {
    const clock = { time: 0 };
    const written: string[] = [];
    const stderr = { write: (text: string) => written.push(text), isTTY: true, columns: 12, rows };
    const options = live === undefined ? {} : { live };
    const { log } = createTerminal({
      ...{ stderr, mask: createMask(), now: () => clock.time, colour: false, verbose: false },
      ...options,
    });
    const progress = log.progress('layers');
    progress.part('openssl-3.0.15', 10);
    progress.part('glibc');
    for (const done of [1, 2]) {
      clock.time += 100;
      progress.update(done);
    }
    progress.end('done');
    return written;
  };

  test('are erased from the last to the first, in one write with what comes instead, and fit into the width', () => {
    const lines = (done: number) => `layers, ${done} B\n  openssl-…\n  glibc`;
    expect(shown(24)).toEqual([
      `${ERASE}layers`,
      `${ERASE}${lines(1)}`,
      `${ERASE}${UP}${ERASE}${UP}${ERASE}${lines(2)}`,
      `${ERASE}${UP}${ERASE}${UP}${ERASE}`,
      'done in 0.2 s\n',
    ]);
  });

  test('leave out what would scroll out of sight', () => {
    expect(shown(3).at(-3)).toBe(`${ERASE}${UP}${ERASE}layers, 2 B\n  openssl-…`);
    expect(shown(1).at(-3)).toBe(`${ERASE}layers, 2 B`);
  });

  test('are none on a terminal that takes no line back', () => {
    expect(shown(24, false)).toEqual(['done in 0.2 s\n']);
  });
});
