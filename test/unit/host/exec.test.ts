import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { createStderrReader, createStdoutReader, TAIL_LIMIT } from '../../../src/host/child-output.ts';
import { createExec } from '../../../src/host/exec.ts';

const runner = (environment: NodeJS.ProcessEnv = process.env) => {
  const controller = new AbortController();
  return { controller, exec: createExec({ env: environment, signal: controller.signal }) };
};

const sh = (script: string) => ['sh', ['-c', script]] as const;

describe('running a program', () => {
  const { exec } = runner();

  test('gives exit code, output as it is, and standard error line by line', async () => {
    const lines: string[] = [];
    const [program, args] = sh('echo out; printf "a\\nb" >&2; exit 3');
    const result = await exec(program, args, { onStderrLine: (line) => lines.push(line) });
    expect(result).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'a\nb' });
    expect(lines).toEqual(['a', 'b']);
  });

  test('uses no shell', async () => {
    expect((await exec('printf', ['%s|', '$HOME', 'a b', '; true'])).stdout).toBe('$HOME|a b|; true|');
  });

  test.each<[string, string | Uint8Array | undefined, string]>([
    ['text', 'häh', 'häh'],
    ['bytes', new Uint8Array([104, 105]), 'hi'],
    ['nothing', undefined, ''],
  ])('standard input is %s', async (_name, input, expected) => {
    expect((await exec('cat', [], input === undefined ? {} : { input })).stdout).toBe(expected);
  });

  test('input that nobody reads is no failure', async () => {
    expect((await exec('true', [], { input: 'x'.repeat(4_000_000) })).exitCode).toBe(0);
  });

  test('adds to its environment, and runs in a folder', async () => {
    const { exec: own } = runner({ PATH: process.env.PATH, LANG: '1' });
    const [program, args] = sh('echo $LANG$B$HOME; pwd -P');
    expect((await own(program, args, { env: { B: '2' }, cwd: '/' })).stdout).toBe('12\n/\n');
  });

  test('runs in the folder that it was made with where a call names none', async () => {
    const elsewhere = createExec({ env: process.env, cwd: '/', signal: new AbortController().signal });
    expect((await elsewhere('pwd', [])).stdout).toBe('/\n');
    expect((await elsewhere('pwd', [], { cwd: '/usr' })).stdout).toBe('/usr\n');
  });

  test('a signal gives 128 and its number', async () => {
    expect((await exec(...sh('kill -9 $$'))).exitCode).toBe(137);
  });

  test.each<[string, string, string[], object, string, string | undefined]>([
    ['nix', 'nix-nothing', [], {}, 'cannot run nix-nothing: no such program', 'Install Nix'],
    ['another program', 'nothing-such', [], {}, 'cannot run nothing-such: no such program', 'Install nothing-such'],
    ['no folder', 'true', [], { cwd: '/nothing/such' }, 'cannot run true in /nothing/such: no such folder', undefined],
    ['no program file', tmpdir(), [], {}, `cannot run ${tmpdir()}: spawn ${tmpdir()} EACCES`, 'executable'],
    ['too long', 'true', ['x'.repeat(3_000_000)], {}, 'cannot run true: its arguments are too long', undefined],
  ])('what cannot be started says so: %s', async (_name, program, args, options, message, hint) => {
    const failed = await exec(program, args, options).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'file', message });
    expect((failed as { hint?: string }).hint ?? '').toContain(hint ?? '');
  });
});

describe('cancelling', () => {
  test('ends the child with SIGINT', async () => {
    const { controller, exec } = runner();
    const lines: string[] = [];
    const [program, args] = sh('trap "echo got INT >&2; exit 0" INT; echo ready >&2; while :; do sleep 0.05; done');
    const onStderrLine = (line: string) => {
      lines.push(line);
      if (line === 'ready') controller.abort();
    };
    await expect(exec(program, args, { onStderrLine })).rejects.toMatchObject({ code: 'cancelled' });
    expect(lines).toEqual(['ready', 'got INT']);
  });

  test('ends a child that ignores SIGINT, and does not wait for its children', async () => {
    const { controller, exec } = runner();
    const started = Date.now();
    const [program, args] = sh('trap "" INT; echo ready >&2; sleep 12 & sleep 12; sleep 12');
    const onStderrLine = () => controller.abort();
    await expect(exec(program, args, { onStderrLine })).rejects.toMatchObject({ code: 'cancelled' });
    expect(Date.now() - started).toBeLessThan(11_000);
  });

  test('by the signal of one call', async () => {
    const { exec } = runner();
    const running = exec('sleep', ['30'], { signal: AbortSignal.timeout(50) });
    await expect(running).rejects.toMatchObject({ code: 'cancelled', message: 'sleep was stopped' });
  });

  test('starts nothing once the signal has fired', async () => {
    const { controller, exec } = runner();
    controller.abort();
    await expect(exec('nothing-such', [])).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('output of a child', () => {
  const readLines = (chunks: readonly Uint8Array[]) => {
    const lines: string[] = [];
    const reader = createStderrReader((line) => lines.push(line));
    for (const chunk of chunks) reader.push(chunk);
    return { tail: reader.end(), lines };
  };

  test.each<[string, string[], string[]]>([
    ['cut lines', ['a', 'b\nc', 'd\n'], ['ab', 'cd']],
    ['no line end', ['a'], ['a']],
    ['line ends of Windows', ['a\r\nb'], ['a', 'b']],
    ['empty lines', ['\n\na'], ['', '', 'a']],
    ['nothing', [], []],
  ])('in lines: %s', (_name, chunks, expected) => {
    expect(readLines(chunks.map((chunk) => Buffer.from(chunk))).lines).toEqual(expected);
  });

  test('a character that is cut in two stays whole', () => {
    const bytes = Buffer.from('ä€😀');
    expect(readLines([...bytes].map((byte) => Uint8Array.of(byte))).lines).toEqual(['ä€😀']);
  });

  test('only the tail is kept, and a line without end is passed on in pieces', () => {
    const { tail, lines } = readLines(Array.from({ length: 10 }, () => Buffer.alloc(100_000, 'x')));
    expect(tail).toHaveLength(TAIL_LIMIT);
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.join('')).toHaveLength(1_000_000);
  });

  test.each<[number, boolean, string, number]>([
    [5, false, 'abcde', 0],
    [4, true, '', 1],
  ])('with a limit of %i bytes', (limit, overflown, text, calls) => {
    let called = 0;
    const reader = createStdoutReader(() => {
      called += 1;
    }, limit);
    for (const chunk of ['ab', 'cd', 'e']) reader.push(Buffer.from(chunk));
    expect([reader.overflown, reader.text(), called]).toEqual([overflown, text, calls]);
  });
});
