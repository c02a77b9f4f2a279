import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { actionlintPath, actPath } from '../../../scripts/setup/go-tools.mjs';
import { zizmorPath } from '../../../scripts/setup/python-tools.mjs';
import { ROOT } from '../../support/root.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

test.each([
  [actPath(), '0.2.89'],
  [actionlintPath(), '1.7.12'],
  [zizmorPath(), '1.32.0'],
])('set-up has made %s in the version that it pins', async (program, version) => {
  const { exitCode, stdout } = await runProgram(program, ['--version']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(version);
});

const CALL = `
const [file, log] = [process.argv[1], (line) => console.log('log: ' + line)];
const { goFor } = await import(file);
try {
  console.log('uses ' + goFor('act', 25, log).go);
} catch (error) {
  console.log(error.constructor.name + ': ' + error.message);
}`;

/** What set-up says where `go` is a script that answers `go version` with `version`, and all else by failing. */
const withGo = async (version: string): Promise<string> => {
  await using folder = await uniqueTempDir('go');
  const go = join(folder.path, 'go');
  const answer = `#!/bin/sh\nif [ "$1" = version ]; then echo "go version ${version} linux/amd64"; exit; fi\necho 'no network' >&2\nexit 1\n`;
  await writeFile(go, answer);
  await chmod(go, 0o755);
  const env = { PATH: `${folder.path}:${process.env.PATH}`, XDG_CACHE_HOME: folder.path };
  const words = ['--input-type=module', '--eval', CALL, join(ROOT, 'scripts/setup/go.mjs')];
  const { stdout } = await runProgram(process.execPath, words, { env });
  return stdout.replaceAll(folder.path, '');
};

test.each([
  ['go1.26.1', 'uses /go\n'],
  ['go1.17', 'SetupError: Go 1.18 or newer is needed to build act; /go is go version go1.17 linux/amd64.'],
  ['go1.19.8', 'log: go: act needs Go 1.25 or newer and /go is go version go1.19.8 linux/amd64; fetching Go 1.26.8\n'],
  ['go1.19.8', 'and Go 1.26.8 cannot be fetched: no network\nInstall a newer Go.'],
])('a machine with %s', async (version, said) => {
  expect(await withGo(version)).toContain(said);
});
