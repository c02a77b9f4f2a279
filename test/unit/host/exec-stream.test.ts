import { describe, expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { MIB } from '../../support/bytes.ts';

const exec = createExec({ env: process.env, signal: new AbortController().signal });

/** `count` blocks of one buffer that is used again, as a pool does it; counts how many were requested. */
function blocks(count: number) {
  const state = { asked: 0, closed: false };
  async function* make(): AsyncGenerator<Uint8Array> {
    const block = Buffer.alloc(MIB);
    try {
      for (let at = 0; at < count; at += 1) {
        state.asked += 1;
        yield block.fill(at);
      }
    } finally {
      state.closed = true;
    }
  }
  return { state, input: make() };
}

describe('a program that is streamed through', () => {
  test('gets every block before the buffer is used again, and what it prints arrives in order', async () => {
    const seen: number[] = [];
    const { exitCode, stdout } = await exec('cat', [], {
      input: blocks(20).input,
      onStdout: async (output) => {
        let at = 0;
        for await (const chunk of output) {
          for (const byte of chunk) if (at++ % MIB === 0) seen.push(byte);
        }
        expect(at).toBe(20 * MIB);
      },
    });
    expect(seen).toEqual([...Array(20).keys()]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  });

  test('waits while nobody reads its output', async () => {
    const { state, input } = blocks(50);
    await exec('cat', [], {
      input,
      onStdout: async (output) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(state.asked).toBeLessThan(5);
        for await (const _ of output);
      },
    });
    expect(state.asked).toBe(50);
  });

  test('that ends well without having read everything has failed', async () => {
    const { state, input } = blocks(50);
    const running = exec('sh', ['-c', 'echo why >&2'], { input });
    await expect(running).rejects.toThrow('sh ended before it had read all of its input: why');
    expect(state).toMatchObject({ closed: true });
    expect(state.asked).toBeLessThan(5);
  });

  test('that fails early says so by its exit code', async () => {
    const result = await exec('sh', ['-c', 'echo why >&2; exit 7'], { input: blocks(50).input });
    expect(result).toMatchObject({ exitCode: 7, stderr: 'why\n' });
  });

  test('that cannot be started says which program', async () => {
    const running = exec('nothing-such', [], { input: blocks(3).input, onStdout: async (output) => void output });
    await expect(running).rejects.toMatchObject({ code: 'file', message: /no such program/ });
  });

  test.each<[string, object]>([
    [
      'its input',
      {
        // biome-ignore lint/correctness/useYield: it fails before it has anything
        input: (async function* (): AsyncGenerator<Uint8Array> {
          throw new Error('no more');
        })(),
      },
    ],
    [
      'the reader of its output',
      {
        input: blocks(50).input,
        onStdout: async () => {
          throw new Error('no more');
        },
      },
    ],
  ])('is ended when %s throws', async (_name, options) => {
    await expect(exec('sleep', ['60'], options)).rejects.toThrow('no more');
  });
});
