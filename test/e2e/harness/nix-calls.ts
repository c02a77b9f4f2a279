import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueTempDir } from '../../support/tools.ts';

/** Writes down what Nix is called with, and calls it. */
export interface NixCalls extends AsyncDisposable {
  /** Folder to put first on PATH. */
  readonly programs: string;
  /** The arguments of every `nix eval` since the last time that it was asked, one a call. */
  takeEvaluations(): Promise<string[]>;
}

/** Stands before the machine's own `nix`. */
export async function watchNix(): Promise<NixCalls> {
  const folder = await uniqueTempDir('nix-calls');
  const real = execFileSync('which', ['nix'], { encoding: 'utf8' }).trim();
  const programs = join(folder.path, 'bin');
  const file = join(folder.path, 'calls');
  await mkdir(programs);
  // One write a call, so that calls at the same time do not mix.
  const script = `#!/bin/sh\nline=$(printf '%s ' "$@" | tr '\\n' ' ')\necho "$line" >> '${file}'\nexec '${real}' "$@"\n`;
  await writeFile(join(programs, 'nix'), script);
  await chmod(join(programs, 'nix'), 0o755);
  return {
    programs,
    takeEvaluations: async () => {
      const text = await readFile(file, 'utf8').catch(() => '');
      await writeFile(file, '');
      return text.split('\n').filter((line) => / eval /.test(line));
    },
    [Symbol.asyncDispose]: folder.remove,
  };
}
