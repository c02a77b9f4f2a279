import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cliData, type Published, runCli } from '../../support/cli.ts';
import { type NixUnderTest, nixVersionsUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';
import { startDaemon } from './daemon.ts';

// Stores of their own are filled from nothing, beside other tests.
vi.setConfig({ testTimeout: 120_000 });

const FEATURES = ['--extra-experimental-features', 'nix-command flakes'];

/**
 * The images `here`, which any machine builds, and `there`, whose package asks for a feature that this machine has not,
 * both with a source beside their package; and `archive`, which another tool makes.
 */
const FLAKE = `{
  outputs = { self }:
    let
      p = import ./packages.nix { salt = import ./salt.nix; };
      system = "x86_64-linux";
      needs = feature: name: derivation ((p.package system name).drvAttrs // { requiredSystemFeatures = [ feature ]; });
      image = name: package: p.mkImage {
        inherit name;
        copyToRoot = [ package ];
        files."/note".source = ./note.nix;
        files."/at".text = "\${package}";
      };
    in {
      nixImages.\${system} = {
        here = image "here" (p.package system "here");
        there = image "there" (needs "second" "there");
      };
      dockerImages.\${system}.archive = derivation {
        name = "archive.tar";
        inherit system;
        inherit (p.package system "archive") builder;
        salt = import ./salt.nix;
        args = [ "sh" "-euc" ''
          bb=$builder
          $bb echo $salt > text; $bb tar -cf layer.tar text
          sum=$($bb sha256sum layer.tar); sum=''\${sum%% *}
          echo '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:'$sum'"]}}' > config.json
          echo '[{"Config":"config.json","RepoTags":["archive:v1"],"Layers":["layer.tar"]}]' > manifest.json
          $bb tar -cf $out manifest.json config.json layer.tar
        '' ];
      } // { imageName = "archive"; imageTag = "v1"; };
    };
}`;

/** Stands in for ssh: writes down the machine it is to go to, and runs there, which is here, what it is given. */
const SSH = `#!/bin/sh
for word do case $word in
  -O) exit 255 ;; # there is no connection to share
  -oLocalCommand=echo*) echo started ;;
esac done
until case $1 in nix-*) true ;; *) false ;; esac; do echo "$1" >> "$0.log"; shift; done
echo "$1" >> "$0.log"
exec sh -c "$*"
`;

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('elsewhere');
});

afterAll(() => temp?.remove());

const run = async ({ env }: NixUnderTest, args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram('nix', [...FEATURES, ...args], { env });
  expect(exitCode, stderr).toBe(0);
  return stdout.trim();
};

const versions = nixVersionsUnderTest();
const ends = versions.filter((_, at) => at === 0 || at === versions.length - 1);

describe.each(ends)('with $label', (version) => {
  let flake: FlakeCopy;
  /** What was published as `here`, by any store. */
  const digests: string[] = [];
  // A URL and the line of a builder take no space.
  const at = (part: string): string => join(temp.path, version.label.replace(' ', '-'), part);

  beforeAll(async () => {
    // Its salt makes paths that no store has yet.
    flake = await copyFlake('mkimage');
    await flake.write('flake.nix', FLAKE);
    await mkdir(at('bin'), { recursive: true });
    await writeFile(at('bin/ssh'), SSH, { mode: 0o755 });
  });
  afterAll(() => flake?.remove());

  const publish = async (image: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const to = ['--to', `oci:${at(crypto.randomUUID())}:v1`];
    const { digest } = await cliData<Published>(['publish', `${flake.flake}#${image}`, ...to, ...args], {
      env: { ...version.env, XDG_STATE_HOME: temp.path, XDG_CACHE_HOME: at('cache'), ...env },
    });
    digests.push(...(image === 'here' ? [digest] : []));
    return digest;
  };

  const outPath = async (image: string): Promise<string> =>
    JSON.parse(await run(version, ['eval', '--json', `${flake.flake}#nixImages.x86_64-linux.${image}.copyToRoot`]))[0];

  // The first, for this machine has nothing of the flake yet.
  test('a machine behind ssh builds and is read from', async () => {
    const store = `ssh-ng://machine?remote-store=local%3Froot%3D${at('ssh')}`;
    await publish('here', ['--store', store], { PATH: `${at('bin')}:${version.env.PATH}` });
    expect(existsSync(join(at('ssh'), await outPath('here')))).toBe(true);
    const asked = (await readFile(at('bin/ssh.log'), 'utf8')).split('\n');
    expect(asked).toContain('machine');
    expect(asked.some((line) => line.startsWith('nix-daemon'))).toBe(true);
  });

  test('a remote builder builds what this machine cannot', async () => {
    await expect(publish('there', [])).rejects.toThrow(/needs a machine with the system feature second/);
    await publish('there', ['--builders', `local?root=${at('builder')} x86_64-linux - 1 1 second`]);
    expect(existsSync(join(at('builder'), await outPath('there')))).toBe(true);
  });

  test('a store elsewhere builds and holds the image', async () => {
    await publish('here', ['--store', `local?root=${at('store')}`]);
    expect(existsSync(join(at('store'), await outPath('here')))).toBe(true);
  });

  test('a daemon of another store builds, and evaluations write to a third one', async () => {
    const daemon = await startDaemon(version, `local?root=${at('built')}`, at('socket'));
    try {
      const stores = ['--store', `unix://${at('socket')}?root=${at('built')}`];
      await publish('here', [...stores, '--eval-store', `local?root=${at('evaluated')}`]);
      const path = await outPath('here');
      expect(existsSync(join(at('built'), path))).toBe(true);
      expect(existsSync(join(at('evaluated'), path))).toBe(false);
    } finally {
      await daemon.stop();
    }
  });

  test('the image is the one that this machine makes, and is published from a cache of files', async () => {
    await publish('here', []);
    const url = `file://${at('binaries')}`;
    const note = await run(version, ['eval', '--raw', '--impure', '--expr', `"\${${flake.path}/note.nix}"`]);
    await run(version, ['copy', '--no-check-sigs', '--to', url, await outPath('here'), note]);
    await publish('here', ['--store', url]);
    expect(digests).toHaveLength(5);
    expect(new Set(digests).size).toBe(1);
  });

  // One of them with each version; what else they may say is a table in test/unit/nix/answer.test.ts.
  const variable = version === ends[0] ? 'NIX_REMOTE' : 'NIX_CONFIG';

  test(`a store that ${variable} names counts too`, async () => {
    const url = `local?root=${at('named')}`;
    await publish('here', [], { [variable]: variable === 'NIX_REMOTE' ? url : `${TEST_NIX_CONFIG}store = ${url}\n` });
    expect(existsSync(join(at('named'), await outPath('here')))).toBe(true);
    expect(new Set(digests).size).toBe(1);
  });

  test('an image of another tool is built elsewhere', async () => {
    const there = await publish('archive', ['--store', `local?root=${at('archives')}`]);
    const path = await run(version, ['eval', '--raw', `${flake.flake}#dockerImages.x86_64-linux.archive`]);
    expect(existsSync(join(at('archives'), path))).toBe(true);
    expect(await publish('archive', [])).toBe(there);
  });
});

test.each(['--store', '--eval-store', '--builders'])('--nix-arg refuses %s, which has an input', async (name) => {
  const args = ['build', '.#app', `--nix-arg=${name}`, '--nix-arg=auto'];
  const { exitCode, stderr } = await runCli(args);
  expect(stderr).toContain(`--nix-arg ${name} applies to evaluations only`);
  expect(exitCode).toBe(2);
});
