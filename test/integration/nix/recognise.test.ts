import { describe, expect, test } from 'vitest';
import { foreignAnswerSchema, imageKindSchema, RECOGNISE } from '../../../src/nix/recognise.ts';
import { nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';

/** An expression, the output that it stands under, and what it is. */
const KINDS: readonly (readonly [string, string, string | null])[] = [
  ['image { imageName = throw "name"; imageTag = throw "tag"; }', 'packages', 'archive'],
  ['image { imageName = "a"; passthru = { imageTag = "b"; }; }', 'packages', 'archive'],
  ['image { imageName = "a"; imageTag = "b"; isExe = true; }', 'packages', 'stream'],
  ['image { name = "stream-a"; imageName = "a"; imageTag = "b"; }', 'packages', 'stream'],
  ['image { imageName = "a"; imageTag = "b"; copyToRegistry = throw "copy"; }', 'packages', 'nix2container'],
  ['image { config = throw "config"; filePath = throw "path"; }', 'packages', 'disk'],
  ['image { passthru = { config = 1; filePath = 1; }; }', 'packages', 'disk'],
  ['image { repartConfigDirectory = throw "repart"; }', 'packages', 'disk'],
  ['image { imageName = "a"; }', 'packages', null],
  ['image { }', 'packages', null],
  ['image { }', 'nixImages', null],
  ['image { }', 'dockerImages', 'archive'],
  ['image { }', 'ociImages', 'archive'],
  ['image { name = "stream-a"; }', 'dockerImages', 'stream'],
  ['image { }', 'diskImages', 'disk'],
  ['{ a = image { }; }', 'diskImages', null],
  ['{ schemaVersion = 1; kind = "oci"; }', 'dockerImages', 'definition'],
  ['image { nixImage = { schemaVersion = 1; kind = "oci"; }; }', 'packages', 'definition'],
  ['"text"', 'dockerImages', null],
  ['x: x', 'dockerImages', null],
];

const evaluate = async (version: ReturnType<typeof nixVersionsUnderTest>[number], body: string): Promise<unknown> => {
  const nix = await openNixUnderTest(version);
  const image =
    'a: derivation ({ name = a.name or "x"; system = "x86_64-linux"; builder = a.builder or (throw "builder"); }) // a';
  const { exitCode, stdout, stderr } = await nix.command([
    'eval',
    '--json',
    '--expr',
    `let ${RECOGNISE} image = ${image}; in ${body}`,
  ]);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe.each(nixVersionsUnderTest().map((version) => [version.label, version] as const))('%s', (_label, version) => {
  test('kinds are told by marks, and builders, names and tags are not looked at', async () => {
    const all = KINDS.map(([expression, output]) => `(kindUnder "${output}" (${expression}))`);
    const found = await evaluate(version, `[ ${all.join(' ')} ]`);
    expect(found).toEqual(KINDS.map(([, , kind]) => kind));
    for (const [, , kind] of KINDS) if (kind !== null) expect(imageKindSchema.parse(kind)).toBe(kind);
  });

  test('a derivation is described by its own words', async () => {
    const image = 'image { builder = "/bin/sh"; imageName = "ghcr.io/a"; imageTag = ""; }';
    const answer = foreignAnswerSchema.parse(await evaluate(version, `foreignOf "archive" (${image})`));
    expect(answer).toMatchObject({ name: 'ghcr.io/a', tag: null, output: 'out', system: 'x86_64-linux' });
    expect(answer.path).toMatch(/^\/nix\/store\/[0-9a-z]{32}-x$/);
    expect(answer.drvPath).toMatch(/-x\.drv$/);
  });
});
