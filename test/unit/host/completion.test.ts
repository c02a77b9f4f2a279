import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { commands } from '../../../src/commands/index.ts';
import { cliFields } from '../../../src/host/argv.ts';
import { renderCompletion } from '../../../src/host/completion/completion.ts';
import { flagWord } from '../../../src/host/names.ts';

const all = await Promise.all(Object.values(commands).map((load) => load()));
const run = promisify(execFile);

/** What bash offers after these words, as it calls the function itself. */
const offered = async (...words: string[]): Promise<string[]> => {
  const script = `${renderCompletion('bash', all)}
    shopt -s progcomp
    compopt() { :; }
    COMP_WORDS=(nix-images "$@") COMP_CWORD=$#
    _nix_images
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['-uc', script, 'bash', ...words]);
  return stdout.split('\n').filter((word) => word !== '');
};

test.each<[string[], string[]]>([
  [['pl'], ['plan']],
  [['--v'], ['--version']],
  [['completion', 'f'], ['fish']],
  [['publish', '--sys'], ['--system']],
  [['publish', '--system', 'a'], ['aarch64-linux']],
  [['build', '.#app', '--test-with', 'p'], ['podman']],
  [['publish', '--no-re'], ['--no-reuse']],
  [['publish', '--to', ''], []],
  [['inspect', ''], []],
])('bash offers after %j: %j', async (words, expected) => {
  expect(await offered(...words)).toEqual(expected);
});

test.each(['bash', 'zsh', 'fish'])('%s knows every command and flag', (shell) => {
  const script = renderCompletion(shell, all);
  for (const command of all) {
    expect(script).toContain(command.name);
    for (const [name, meta] of cliFields(command.inputs)) {
      if (!meta.positional && meta.kind !== 'secret') expect(script).toContain(flagWord(name, meta));
    }
  }
});

test.each(['sh', undefined, 'constructor'])('%s is refused', (shell) => {
  expect(() => renderCompletion(shell, all)).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('bash, zsh, fish') }),
  );
});
