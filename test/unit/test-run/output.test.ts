import { expect, test } from 'vitest';
import { createOutput } from '../../../src/test-run/output.ts';
import { lastLines } from '../../../src/test-run/test-run.ts';

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

test('keeps both streams in the order they came, and characters whole that came in pieces', async () => {
  const output = createOutput();
  const [first, second] = [Buffer.from('grü').subarray(0, 3), Buffer.from('grü').subarray(3)];
  output.onStderrLine('warning');
  await output.readStdout(chunks(first, second, Buffer.from('n\n')));
  output.onStderrLine('error');
  expect(output.stdout()).toBe('grün\n');
  expect(output.both()).toBe('warning\ngrün\nerror\n');
});

test('keeps only the end of output without end', async () => {
  const output = createOutput();
  async function* flood(): AsyncGenerator<Uint8Array> {
    for (let block = 0; block < 64; block += 1) yield Buffer.alloc(1 << 16, block === 63 ? 'z' : 'a');
  }
  await output.readStdout(flood());
  expect(output.stdout()).toHaveLength(256 * 1024);
  expect(output.stdout().endsWith('z'.repeat(1 << 16))).toBe(true);
  expect(output.both()).toHaveLength(256 * 1024);
});

test.each([
  ['nothing', '\n', ''],
  ['little', 'a\nb\n', 'a\nb'],
  [
    'much: from the beginning of a line on',
    `${'x'.repeat(9000)}\n${'line\n'.repeat(10)}`,
    `…\n${'line\n'.repeat(10).trimEnd()}`,
  ],
  ['one endless line', 'x'.repeat(9000), `…\n${'x'.repeat(4000)}`],
])('lastLines of %s', (_name, text, expected) => {
  expect(lastLines(text)).toBe(expected);
});
