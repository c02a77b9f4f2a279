import { PassThrough } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { Talk, TIME_LIMIT } from '../../../../src/github/cache/talk.ts';
import { ASKS, type Transfer } from '../../../../src/github/cache/transfer.ts';

const TRANSFER: Transfer = { verb: 'restore', key: 'k' };

/** A talk with a process, whose words are written to `output`. */
const scene = ({
  isOff = false,
  isTold = true,
  verb = TRANSFER.verb,
}: {
  isOff?: boolean;
  isTold?: boolean;
  verb?: Transfer['verb'];
} = {}) => {
  const turn = Promise.withResolvers<void>();
  const isOver = vi.fn();
  const order = { moved: { ...TRANSFER, verb, file: '/f' }, turn: { comes: turn.promise, isOver } };
  const talk = new Talk(isTold ? Promise.resolve(order) : new Promise(() => {}), () => isOff);
  const output = new PassThrough();
  const listening = talk.listen(output);
  const said: string[] = [];
  const saying = (async () => {
    for await (const words of talk.say()) said.push(Buffer.from(words).toString());
  })();
  const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  const end = async (): Promise<void> => {
    output.end();
    await listening;
    await saying;
    talk.end();
  };
  return { talk, output, said, turn, isOver, settle, end };
};

const JSON_LINE = '{"verb":"restore","key":"k"}\n';

test('a process is told at once what to do, and to go on when it has asked and its turn has come', async () => {
  const { talk, output, said, turn, isOver, settle, end } = scene();
  await settle();
  expect(said).toEqual([JSON_LINE]);
  turn.resolve();
  await settle();
  expect(said).toEqual([JSON_LINE]);
  // A line may come in pieces.
  output.write(`something\n${ASKS.slice(0, 9)}`);
  output.write(`${ASKS.slice(9)}\n`);
  await settle();
  expect(said).toEqual([JSON_LINE, 'go\n']);
  expect(isOver).not.toHaveBeenCalled();
  output.write('Cache Size: ~61 MB (64003025 B)\n');
  await settle();
  expect(isOver).toHaveBeenCalled();
  await end();
  expect(talk.isSkipped).toBe(false);
  expect(talk.heard).toContain('Cache Size');
});

test('one that ends without asking is told nothing more, and waits for nobody', async () => {
  const { said, talk, end } = scene();
  await end();
  expect(said).toEqual([JSON_LINE]);
  expect(talk.isSkipped).toBe(false);
});

test('one that dies before it is told what to do is told nothing', async () => {
  const { said, talk, settle, end } = scene({ isTold: false });
  await settle();
  await end();
  expect(said).toEqual([]);
  expect(talk.moved).toBeUndefined();
});

test('one that dies while it waits for its turn is waited for no longer', async () => {
  const { output, said, talk, settle, end } = scene();
  output.write(`${ASKS}\n`);
  await settle();
  await end();
  expect(said).toEqual([JSON_LINE]);
  expect(talk.isSkipped).toBe(false);
});

test('one whose turn comes when nothing is to be moved any more is told nothing more', async () => {
  const { output, said, talk, turn, settle, end } = scene({ isOff: true });
  output.write(`${ASKS}\n`);
  turn.resolve();
  await settle();
  await end();
  expect(said).toEqual([JSON_LINE]);
  expect(talk.isSkipped).toBe(true);
});

test('a save has its turn until its end, whatever it says of sizes', async () => {
  const { output, isOver, settle, end } = scene({ verb: 'save' });
  output.write('Cache Size: ~61 MB (64003025 B)\n');
  await settle();
  expect(isOver).not.toHaveBeenCalled();
  await end();
});

test('one that neither asks for its turn nor ends is late', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { talk, settle, end } = scene();
    await settle();
    vi.advanceTimersByTime(TIME_LIMIT - 1);
    expect(talk.late.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(talk.late.aborted).toBe(true);
    await end();
  } finally {
    vi.useRealTimers();
  }
});

test('the time before its turn does not count', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { talk, output, turn, settle, end } = scene();
    output.write(`${ASKS}\n`);
    await settle();
    vi.advanceTimersByTime(TIME_LIMIT * 2);
    expect(talk.late.aborted).toBe(false);
    turn.resolve();
    await settle();
    vi.advanceTimersByTime(TIME_LIMIT - 1);
    expect(talk.late.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(talk.late.aborted).toBe(true);
    await end();
  } finally {
    vi.useRealTimers();
  }
});
