import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../scripts/assemble/program.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Below the root, so that packages are found. */
const OUT = join(ROOT, 'out/bench/ebs-js');

/** A script of this folder with all that it imports as JavaScript, as releases have it: erasing types takes Node's time and memory. Its path. */
export async function transpiled(script: string): Promise<string> {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  const project = join(ROOT, 'out/bench/tsconfig.ebs.json');
  const settings = {
    extends: '../../tsconfig.json',
    files: [`../../bench/ebs/${script}.ts`],
    include: [],
    compilerOptions: { noEmit: false, noCheck: true, rootDir: '../..', outDir: OUT },
  };
  await writeFile(project, JSON.stringify(settings));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  await runProgram([process.execPath, tsc, '--project', project], { cwd: ROOT });
  await writeFile(join(OUT, 'package.json'), '{"type":"module"}');
  return join(OUT, 'bench/ebs', `${script}.js`);
}
