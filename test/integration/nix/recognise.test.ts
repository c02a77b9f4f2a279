import { describe, expect, test } from 'vitest';
import { imageKindSchema, RECOGNISE, toolImageAnswerSchema } from '../../../src/nix/recognise.ts';
import { nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';

/** An expression, the output that it stands under, and what it is. */
const KINDS: readonly (readonly [string, string, string | null])[] = [
  ['image { imageName = throw "name"; imageTag = throw "tag"; }', 'packages', 'archive'],
  ['image { imageName = "a"; passthru = { imageTag = "b"; }; }', 'packages', 'archive'],
  ['image { imageName = "a"; imageTag = "b"; isExe = true; }', 'packages', 'stream'],
  ['image { name = "stream-a"; imageName = "a"; imageTag = "b"; }', 'packages', 'stream'],
  // buildLayeredImage passes on the marks of the stream that it packs; older ones give no access to it.
  [
    'image { name = "a.tar.gz"; imageName = "a"; imageTag = "b"; isExe = true; stream = throw "s"; }',
    'packages',
    'archive',
  ],
  ['image { name = "a.tar.zst"; imageName = "a"; imageTag = "b"; isExe = true; }', 'packages', 'archive'],
  ['image { imageName = "a"; imageTag = "b"; isExe = true; passthru = { stream = 1; }; }', 'packages', 'archive'],
  // An image `org/stream-server`, and a streamed one that is called like a file.
  ['image { name = "stream-server.tar.gz"; imageName = "a"; imageTag = "b"; }', 'packages', 'archive'],
  ['image { name = "stream-server.tar"; imageName = "a"; imageTag = "b"; }', 'packages', 'archive'],
  ['image { name = "stream-server.tgz"; }', 'dockerImages', 'archive'],
  ['image { name = "stream-a.tar"; imageName = "a"; imageTag = "b"; isExe = true; }', 'packages', 'stream'],
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
  ['{ schemaVersion = 1; kind = "disk"; }', 'nixImages', 'definition'],
  ['{ schemaVersion = 1; kind = "disk"; }', 'diskImages', 'definition'],
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
    const answer = toolImageAnswerSchema.parse(await evaluate(version, `toolImageOf "archive" (${image})`));
    expect(answer).toMatchObject({ name: 'ghcr.io/a', tag: null, output: 'out', system: 'x86_64-linux' });
    expect(answer.hostSystem).toBeNull();
    expect(answer.path).toMatch(/^\/nix\/store\/[0-9a-z]{32}-x$/);
    expect(answer.drvPath).toMatch(/-x\.drv$/);
  });

  test('the system that an image runs on is that of its standard environment, or of its architecture', async () => {
    const host = '{ hostPlatform.system = "aarch64-linux"; }';
    const found = await evaluate(
      version,
      `map hostSystemOf [
        (image { stdenv = ${host}; })
        (image { stdenv = ${host}; buildArgs.architecture = "amd64"; })
        (image { buildArgs.architecture = "arm64"; })
        (image { buildArgs.architecture = "riscv64"; })
        (image { buildArgs = { }; })
      ]`,
    );
    expect(found).toEqual(['aarch64-linux', 'x86_64-linux', 'aarch64-linux', 'riscv64-linux', null]);
  });

  test('a tag that nobody gave, which is the hash of a store path, is no tag', async () => {
    const found = await evaluate(
      version,
      `let
        conf = image { name = "conf.json"; builder = "x"; };
        made = more: let self = image ({ builder = "x"; imageName = "a"; } // more self); in (toolImageOf "archive" self).tag;
        hash = "0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r";
      in [
        (made (self: { buildArgs = { }; imageTag = hashOf self; }))
        (made (self: { copyToRegistry = 1; imageTag = hashOf self; }))
        (made (_: { inherit conf; imageTag = hashOf conf; }))
        (made (_: { stream.conf = conf; imageTag = hashOf conf; }))
        (made (_: { imageTag = hash; }))
        (made (_: { buildArgs = { }; imageTag = hash; }))
        (made (_: { imageTag = "d41d8cd98f00b204a9800998acf8427a"; }))
        (made (_: { imageTag = "v1"; }))
      ]`,
    );
    expect(found).toEqual([
      ...Array(5).fill(null),
      '0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r',
      'd41d8cd98f00b204a9800998acf8427a',
      'v1',
    ]);
  });
});
