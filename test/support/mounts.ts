import { readFile } from 'node:fs/promises';
import { runProgram } from './tools.ts';

/** Unmounts whatever is mounted below a folder, innermost first; what is busy goes when nobody uses it any more. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const mount of await mountsBelow(folder)) await runProgram('umount', ['--lazy', mount]);
}

async function mountsBelow(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  const points = lines.map((line) => unescaped(line.split(' ')[4] ?? ''));
  return points.filter((point) => point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

/** Blanks, tabs, line feeds and backslashes are octal there (proc(5)). */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
