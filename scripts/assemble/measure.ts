// Prints what a release tree costs its users: node scripts/assemble/measure.ts DIR
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.ts';

/** Few enough to be quick, enough for a median that a busy machine does not move. */
const RUNS = 11;

/** Milliseconds since the process began, and of processor, when it ends. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

const PROBE = `import { writeFileSync } from 'node:fs';
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  process.exitCode = 0;
  writeFileSync(process.env.COST_FILE, JSON.stringify({ wall: performance.now(), cpu: (user + system) / 1000 }));
});`;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Runs `script` as a runner does with no input given: it ends where its work would begin. */
const measure = async (script: string, scratch: string): Promise<Cost> => {
  const [probe, file] = [join(scratch, 'probe.mjs'), join(scratch, 'cost.json')];
  await writeFile(probe, PROBE);
  const env = { GITHUB_ACTIONS: 'true', COST_FILE: file };
  const costs: Cost[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    await runProgram([process.execPath, '--import', probe, script], { cwd: scratch, env });
    costs.push(JSON.parse(await readFile(file, 'utf8')) as Cost);
  }
  return { wall: median(costs.map(({ wall }) => wall)), cpu: median(costs.map(({ cpu }) => cpu)) };
};

const report = async (tree: string, scratch: string): Promise<void> => {
  const files = (await readdir(tree, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  const archive = join(scratch, 'tree.tar.gz');
  await runProgram(['tar', '--create', '--gzip', '--file', archive, '--directory', tree, '.'], { cwd: tree });
  const unpacked = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`${files.length} files, ${unpacked} bytes, ${(await stat(archive)).size} bytes as tar.gz`);
  const empty = join(scratch, 'empty.mjs');
  await writeFile(empty, '');
  const actions = files.filter(({ name }) => name === 'main.mjs').map(({ parentPath }) => parentPath);
  const scripts = [empty, ...actions.sort().map((folder) => join(folder, 'main.mjs'))];
  for (const script of scripts) {
    const { wall, cpu } = await measure(script, scratch);
    const name = script === empty ? 'Node alone' : script.slice(tree.length + 1, -'/main.mjs'.length);
    console.log(`${name.padEnd(12)} ${wall.toFixed(0).padStart(4)} ms, ${cpu.toFixed(0).padStart(4)} ms of processor`);
  }
};

const [tree] = process.argv.slice(2);
if (tree === undefined) {
  console.error('usage: node scripts/assemble/measure.ts DIR');
  process.exitCode = 2;
} else {
  const scratch = await mkdtemp(join(tmpdir(), 'nix-images-measure-'));
  await report(tree, scratch).finally(() => rm(scratch, { recursive: true }));
}
