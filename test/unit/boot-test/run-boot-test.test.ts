import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import type { Emulator } from '../../../src/boot-test/emulator.ts';
import { runBootTests, whyNotBooted } from '../../../src/boot-test/run-boot-tests.ts';
import { diskTestsSchema } from '../../../src/definition/disk-tests.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type PretendMachine, pretendQemu, quickClock } from '../../support/pretend-qemu.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let emulator: Emulator;
beforeAll(async () => {
  temp = await uniqueTempDir('boots');
  const file = async (name: string) => {
    await writeFile(join(temp.path, name), name);
    return { path: join(temp.path, name), format: 'raw' } as const;
  };
  const firmware = { code: await file('code'), variables: await file('variables') };
  emulator = {
    system: 'x86_64-linux',
    program: '/bin/qemu',
    firmware,
    accelerator: 'tcg',
    label: 'QEMU 9.2.1 without KVM',
  };
});
afterAll(() => temp.remove());

type Stated = z.input<typeof diskTestsSchema>[string];

interface More {
  readonly signal?: AbortSignal;
  readonly consoles?: string;
  readonly size?: number;
}

/** Runs one test against a machine that does as the script says, and looks that nothing of it is left. */
async function boot(stated: Stated, script: (machine: PretendMachine) => Promise<number | undefined>, more: More = {}) {
  const { signal = new AbortController().signal, consoles = null, size = 2 ** 30 } = more;
  const tempDir = join(temp.path, `${Math.random()}`);
  await mkdir(tempDir);
  const qemu = pretendQemu(script);
  const tools = { exec: qemu.exec, signal, clock: quickClock(), tempDir, fetch, log: memoryLog() };
  const tests = diskTestsSchema.parse({ it: { timeout: 20, ...stated } });
  try {
    const run = await runBootTests(
      { name: 'team/server', system: 'x86_64-linux', tests },
      { path: '/disks/a,b.raw', size },
      'auto',
      { ...tools, findEmulator: async () => ({ emulator }), consoleFolder: consoles },
    );
    return { run, failure: run.tests[0]?.failure, qemu };
  } finally {
    expect([await readdir(tempDir), qemu.running()]).toEqual([[], 0]);
  }
}

const says =
  (...texts: readonly string[]) =>
  async ({ say }: PretendMachine): Promise<undefined> => {
    for (const text of texts) say(text);
  };

const PROMPT = '\r\n\r\nserver login: ';

describe('the console', () => {
  test.each<[string, Stated, readonly string[]]>([
    ['says a text, in two pieces', { console: [{ contains: 'Welcome to' }] }, ['Wel', 'come to NixOS']],
    ['says texts in their order', { console: [{ contains: 'a' }, { matches: '^b$' }] }, ['a\r\nb\r\n']],
    ['says the same twice', { console: [{ contains: 'up' }, { contains: 'up' }] }, ['up\r\n', 'up\r\n']],
    ['asks for a login', { prompt: true }, [PROMPT]],
    ['asks for a login after its last', { prompt: true }, ['Last login: today\r\n', PROMPT]],
    ['asks without a host name', { prompt: true }, ['\x1b[H\x1b[Jlogin: ']],
    ['asks for a login in colours', { prompt: true }, ['\x1b[H\x1b[J\x1b[1mserver\x1b[0m login: ']],
    ['does not say what it must not', { prompt: true, never: [{ contains: 'Failed' }] }, ['fine', PROMPT]],
    [
      'says a panic that is waited for',
      { console: [{ contains: 'Kernel panic' }] },
      ['Kernel panic - not syncing: x\r\n'],
    ],
  ])('passes where it %s', async (_name, stated, texts) => {
    expect((await boot(stated, says(...texts))).failure).toBeNull();
  });

  test.each<[string, Stated, readonly string[], string, RegExp]>([
    [
      'another order',
      { console: [{ contains: 'a' }, { contains: 'b' }] },
      ['b a\r\n'],
      'console that contains "b"',
      /^none within 20 s$/,
    ],
    [
      'what must not come',
      { prompt: true, never: [{ matches: '^Failed' }] },
      ['x\r\nFailed to mount\r\n', PROMPT],
      'no console that matches /^Failed/mu',
      /^that text$/,
    ],
    [
      'no prompt',
      { prompt: true },
      ['Last login: never\r\n[  OK  ] Started login: x'],
      'a login prompt on the console',
      /^none within 20 s$/,
    ],
    [
      'a panic',
      { prompt: true },
      ['Kernel panic - not syncing: VFS\r\n'],
      'a login prompt on the console',
      /^a kernel panic \(VFS\)$/,
    ],
    [
      'the shell of the firmware',
      { prompt: true },
      ['\x1b[01;01HUEFI Interactive Shell v2.2\r\n'],
      'a login prompt on the console',
      /found nothing to boot/,
    ],
    [
      'nothing at all',
      { prompt: true },
      [],
      'a login prompt on the console',
      /^nothing but the firmware on the serial console \(console=ttyS0/,
    ],
    [
      'nothing but the firmware',
      { prompt: true },
      ['BdsDxe: starting Boot0001\r\n'],
      'a login prompt on the console',
      /^nothing but the firmware/,
    ],
  ])('fails for %s', async (_name, stated, texts, expected, got) => {
    const { failure } = await boot(stated, says(...texts));
    expect(failure).toMatchObject({ command: 'booting the disk', expected, got: expect.stringMatching(got) });
  });

  test('its last lines are in the failure, and all of it is in a file, without what moves a terminal', async () => {
    const consoles = join(temp.path, 'consoles');
    const { failure } = await boot(
      { prompt: true },
      says('\x1b[2J\x1b[31mfirst\r\n', `${'x'.repeat(5000)}\r\n`, 'last\u202e\r\n'),
      { consoles },
    );
    expect(failure?.output).toMatch(/^…\nlast/);
    const [name = ''] = await readdir(consoles);
    expect(name).toBe('team-server-x86_64-linux-it.console.txt');
    expect(await readFile(join(consoles, name), 'utf8')).toBe(`first\n${'x'.repeat(5000)}\nlast\n`);
  });
});

describe('the machine', () => {
  test('that switches itself off is told; what came before it counts', async () => {
    const script = async ({ say }: PretendMachine): Promise<number> => {
      say('up\r\n');
      return 0;
    };
    const { failure } = await boot({ prompt: true }, script);
    expect(failure).toMatchObject({ got: 'the end of the machine, which switched itself off or restarted' });
    expect((await boot({ console: [{ contains: 'up' }] }, script)).failure).toBeNull();
  });

  test('that QEMU cannot make is an error with what QEMU says', async () => {
    const script = async ({ complain }: PretendMachine): Promise<number> => {
      complain('qemu: cannot set up guest memory: Cannot allocate memory');
      return 1;
    };
    await expect(boot({ prompt: true }, script)).rejects.toThrow(
      '/bin/qemu cannot run a machine: qemu: cannot set up guest memory: Cannot allocate memory',
    );
  });

  test('that KVM gives up is told at once', async () => {
    const { failure } = await boot({ prompt: true }, async ({ complain }) => {
      complain('KVM internal error. Suberror: 1');
      return undefined;
    });
    expect(failure?.got).toContain('KVM internal error. Suberror: 1');
  });

  test('is ended when the run is stopped', async () => {
    const stop = new AbortController();
    const reason = new Error('stopped by the test');
    const booting = boot(
      { prompt: true, timeout: 3600 },
      async ({ say }) => {
        say('up');
        setTimeout(() => stop.abort(reason), 20);
        return undefined;
      },
      { signal: stop.signal },
    );
    await expect(booting).rejects.toBe(reason);
  });

  test('has the memory, the processors and the disk of the test, and no way out', async () => {
    const { qemu } = await boot({ prompt: true, memoryMiB: 2048, cpus: 3 }, says(PROMPT));
    const [args = []] = qemu.starts;
    const all = args.join(' ');
    expect(all).toContain('-m 2048M -smp 3');
    expect(all).toContain('if=none,id=disk,snapshot=on,cache=unsafe,format=raw,file=/disks/a,,b.raw');
    expect(all).toContain('-monitor none');
    expect(all).toContain('user,id=net,restrict=on ');
    expect(all).not.toMatch(/hostfwd|-qmp/);
    expect(qemu.images).toEqual([]);
  });

  test('has an enlarged disk before the disk; one that would be smaller is refused', async () => {
    const { qemu } = await boot({ prompt: true, diskGiB: 16 }, says(PROMPT));
    expect(qemu.images).toEqual([
      ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/disks/a,b.raw', 'disk.qcow2', '16G'],
    ]);
    expect(qemu.starts[0]?.join(' ')).toContain('snapshot=on,cache=unsafe,format=qcow2,file=disk.qcow2');
    const smaller = boot({ prompt: true, diskGiB: 1 }, says(PROMPT), { size: 2 ** 31 });
    await expect(smaller).rejects.toThrow('a test boots the disk with 1 GiB, and it has 2 GiB already');
  });
});

/** A machine on whose console somebody can log in. A shell echoes what it reads, and runs what it is told by `run`. */
const withShell =
  (run: (line: string) => readonly [output: string, exitCode: number], password?: string) =>
  async ({ say, typed }: PretendMachine): Promise<undefined> => {
    say(PROMPT);
    const [, user = ''] = await typed(/^(.*)\n/);
    say(`${user}\r\n`);
    if (password !== undefined) {
      say('Password: ');
      const [, given] = await typed(/^(.*)\n/);
      if (given !== password) {
        say('\r\n\r\nLogin incorrect\r\nserver login: ');
        await typed(/^(.*)\n/);
        say('\r\nPassword: ');
        return undefined;
      }
    }
    say('\r\nLast login: today\r\n\x1b[?2004h[root@server:~]# ');
    const [readied, ready] = await typed(/nix-images- (ready-\w+)\n/);
    say(`${readied.slice(0, 20)}\r\n\r\nnix-images-${ready}\r\n# `);
    for (;;) {
      const [, line = ''] = await typed(/^(.*)\n/);
      const number = /begin-(\w+)/.exec(line)?.[1];
      const [output, exitCode] = run(/ 0; (.*) <\/dev\/null/.exec(line)?.[1] ?? '');
      // Wrapped at the edge of the terminal.
      say(`${line.slice(0, 70)} \r${line.slice(70)}\r\n\r\nnix-images-begin-${number} 0\r\n`);
      say(output.replaceAll('\n', '\r\n'));
      say(`\r\nnix-images-end-${number} ${String(exitCode).slice(0, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      say(`${String(exitCode).slice(1)}\r\n# `);
    }
  };

describe('commands', () => {
  test('run one after another, with exit code and output', async () => {
    const lines: string[] = [];
    const shell = withShell((line) => {
      lines.push(line);
      return line === 'uname -m' ? ['x86_64\n', 0] : ['failed', 127];
    });
    const commands = [
      { command: ['uname', '-m'], output: { equals: 'x86_64\n' } },
      { command: ['sh', '-c', "echo 'a b'"], exitCode: 127, output: { equals: 'failed' } },
    ];
    expect((await boot({ commands }, shell)).failure).toBeNull();
    expect(lines).toEqual(['uname -m', `sh -c 'echo '\\''a b'\\'''`]);
  });

  test.each<[string, number, string, object]>([
    ['another exit code', 1, 'x', { expected: 'exit code 0', got: 'exit code 1' }],
    ['another output', 0, 'degraded\n', { expected: 'output that contains "running"', got: 'output "degraded\\n"' }],
  ])('fail for %s', async (_name, exitCode, output, failure) => {
    const commands = [{ command: ['systemctl', 'is-system-running'], output: { contains: 'running' } }];
    const found = (
      await boot(
        { commands },
        withShell(() => [output, exitCode]),
      )
    ).failure;
    expect(found).toMatchObject({ command: 'systemctl is-system-running', ...failure });
  });

  test('that do not end are told', async () => {
    const shell = async (machine: PretendMachine): Promise<undefined> => {
      machine.say(`${PROMPT}root\r\n# `);
      const [, ready] = await machine.typed(/nix-images- (ready-\w+)\n/);
      machine.say(`\r\nnix-images-${ready}\r\n# `);
      return undefined;
    };
    const { failure } = await boot({ commands: [{ command: ['sleep', 'inf'] }] }, shell);
    expect(failure).toMatchObject({ command: 'sleep inf', expected: 'an end of the command', got: 'none within 20 s' });
  });

  test('of a terminal have at most 4000 bytes', async () => {
    const { failure } = await boot(
      { commands: [{ command: ['x'.repeat(4000)] }] },
      withShell(() => ['', 0]),
    );
    expect(failure?.expected).toContain('at most 4000 bytes');
  });

  test('wait for the password that is asked for', async () => {
    const commands = [{ command: ['true'] }];
    const shell = withShell(() => ['', 0], 'secret');
    expect((await boot({ commands, login: { user: 'root', password: 'secret' } }, shell)).failure).toBeNull();
    const without = (await boot({ commands }, shell)).failure;
    expect(without).toMatchObject({ command: 'login as root', expected: 'a shell for root' });
    expect(without?.got).toContain('a question for a password');
    const wrong = (await boot({ commands, login: { user: 'root', password: 'wrong' } }, shell)).failure;
    expect(wrong).toMatchObject({ command: 'login as root', got: 'none within 20 s' });
  });

  test('type the name again at a prompt that comes again, three times', async () => {
    const names: string[] = [];
    const { failure } = await boot({ commands: [{ command: ['true'] }] }, async ({ say, typed }) => {
      for (;;) {
        say(PROMPT);
        names.push((await typed(/^(.*)\n/))[1] ?? '');
      }
    });
    expect(failure?.got).toBe('another login prompt, 3 times');
    expect(names).toEqual(['root', 'root', 'root']);
  });
});

test('tests that cannot be run are left out, with the reason', async () => {
  const tests = diskTestsSchema.parse({ boots: { prompt: true } });
  const why = { findEmulator: async () => ({ why: 'qemu-system-x86_64 is not installed here' }) };
  expect(await whyNotBooted({ tests }, 'auto', why)).toBe('qemu-system-x86_64 is not installed here');
  expect(await whyNotBooted({ tests }, 'none', why)).toBe('they are switched off');
  expect(await whyNotBooted({ tests: {} }, 'auto', why)).toBeNull();
  expect(await whyNotBooted({ tests }, 'auto', { findEmulator: async () => ({ emulator }) })).toBeNull();
});
