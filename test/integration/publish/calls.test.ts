import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli, testImage } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let registry: RegistryEmulator;
let log: string;
let env: Record<string, string>;

/** Puts programs of the same names before the real ones, which note how they are called. */
beforeAll(async () => {
  temp = await uniqueTempDir('calls');
  registry = await startEmulator();
  const bin = join(temp.path, 'bin');
  log = join(temp.path, 'calls');
  await mkdir(bin);
  for (const program of ['nix', 'nix-store']) {
    const real = execFileSync('/bin/sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    // One line a call, whatever is in its arguments.
    const note = `echo "${program} $(printf '%s ' "$@" | tr '\\n' ' ')" >> '${log}'`;
    const script = `#!/bin/sh\n${note}\nexec '${real}' "$@"\n`;
    await writeFile(join(bin, program), script);
    await chmod(join(bin, program), 0o755);
  }
  env = { PATH: `${bin}${delimiter}${process.env.PATH}`, XDG_STATE_HOME: join(temp.path, 'state') };
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

/** What a call is for. */
const VERBS = ['--version', 'eval', 'path-info', 'config show', 'show-config', '--check-validity', '--realise'];

const verbOf = (line: string): string => {
  const words = ` ${line} `;
  const verb = VERBS.find((each) => words.includes(` ${each} `)) ?? line;
  return verb === 'show-config' ? 'config show' : verb;
};

/** How often Nix was called for what, by a run of the command line. */
const callsOf = async (args: readonly string[]): Promise<Record<string, number>> => {
  await rm(log, { force: true });
  const { exitCode, stderr } = await runCli(args, { env });
  expect(exitCode, stderr).toBe(0);
  const lines = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const counted: Record<string, number> = {};
  for (const verb of lines.map(verbOf)) counted[verb] = (counted[verb] ?? 0) + 1;
  return counted;
};

test('each command evaluates once, and asks no more than it must', async () => {
  const to = `${registry.host}/lab/app:v1`;
  const salt = crypto.randomUUID();
  const chain = (rev: string): Promise<string[]> => testImage('chain', { salt, rev });
  const [first, next] = [await chain('one'), await chain('two')];
  const evaluated = { '--version': 1, eval: 1 };

  // Nothing is in the store yet: what is missing is built, and the closure is read again.
  const built = await callsOf(['publish', ...first, '--to', to]);
  expect(built).toMatchObject(evaluated);
  // All of it is in the store: a closure and the roots that keep it for each system.
  expect(await callsOf(['publish', ...first, '--to', `${registry.host}/lab/other:v1`])).toEqual({
    ...evaluated,
    'path-info': 2,
    'config show': 1,
    '--realise': 2,
  });
  // Nothing changed: what is live is believed, and the store is not asked.
  expect(await callsOf(['publish', ...first, '--to', to])).toEqual(evaluated);
  expect(await callsOf(['publish', ...first, '--to', to, '--verify'])).toEqual({
    ...evaluated,
    'path-info': 2,
    'config show': 1,
  });
  // A leaf that must be built: that it is missing, the build, and then the closure.
  const leaf = `${registry.host}/lab/leaf:v1`;
  expect(await callsOf(['publish', ...next, '--to', leaf, '--system', 'x86_64-linux'])).toEqual({
    ...evaluated,
    'path-info': 2,
    'config show': 1,
    '--check-validity': 2,
    '--realise': 2,
  });

  const out = join(temp.path, 'handover');
  expect(await callsOf(['build', ...first, '--system', 'x86_64-linux', '--out', out])).toEqual({
    ...evaluated,
    'path-info': 1,
    'config show': 1,
    '--realise': 1,
  });

  // Of what is published a plan needs no more than the keys, and a publish of it no Nix at all.
  const words = ['plan', ...first, '--to', to.replace(':v1', ''), '--tag', 'v1'];
  expect(await callsOf(words)).toEqual(evaluated);
  const plan = join(temp.path, 'plan.json');
  await writeFile(plan, (await runCli([...words, '--json'], { env })).stdout);
  expect(await callsOf(['publish', '--plan', `@${plan}`, '--tag', 'v1', '--to', to.replace(':v1', '')])).toEqual({});
  expect(await callsOf(['inspect', to])).toEqual({});
});
