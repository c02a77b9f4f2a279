import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompressSync } from 'node:zlib';
import type { CachedPath, CacheIndex } from '../../../src/cache/cache-index.ts';
import type { CacheStore } from '../../../src/cache/store.ts';
import { storePathName } from '../../../src/definition/store-path.ts';
import { parsePathInfo } from '../../../src/nix/path-info.ts';
import { pathInfoFlags } from '../../../src/nix/version.ts';
import { type NixUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { X86 } from '../../support/systems.ts';
import { programPath } from '../../support/tools.ts';

const run = promisify(execFile);

/** Derivations in a chain: each refers to the one before, and has some bytes that do not pack. */
const EXPRESSION = `{ salt, busybox }:
let
  bb = builtins.path { path = busybox; name = "busybox-static"; };
  make = name: from: derivation {
    inherit name salt from;
    system = builtins.currentSystem;
    builder = "\${bb}/busybox";
    args = [ "sh" "-euc" ''
      \${bb}/busybox mkdir $out
      echo "$from $salt" > $out/from
      \${bb}/busybox head -c 200000 \${bb}/busybox > $out/bytes
      echo "$name $salt" | \${bb}/busybox sha256sum >> $out/bytes
    '' ];
  };
  one = make "one" "nothing";
  two = make "two" one;
in make "three" two
`;

/** What a fixture holds. */
export interface BuiltChain {
  /** The derivation of the last. */
  readonly drvPath: string;
  /** The outputs, the first before those that refer to it. */
  readonly paths: readonly CachedPath[];
  readonly index: CacheIndex;
  /** By key. */
  readonly packs: ReadonlyMap<string, Buffer>;
}

/** The environment of a Nix with further settings. */
export const nixEnv = ({ env }: NixUnderTest, lines: readonly string[] = []): NodeJS.ProcessEnv => ({
  ...process.env,
  ...env,
  NIX_CONFIG: `${TEST_NIX_CONFIG}experimental-features = nix-command\n${lines.join('\n')}\n`,
});

/** Builds three paths that nobody built before, packs them, and removes them from the store again. */
export async function buildChain(version: NixUnderTest, { cut = 100_000 } = {}): Promise<BuiltChain> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-chain-'));
  try {
    await writeFile(join(folder, 'chain.nix'), EXPRESSION);
    await rm(join(folder, 'bb'), { recursive: true, force: true });
    const busybox = join(folder, 'bb');
    await run('mkdir', [busybox]);
    await copyFile(programPath('busybox'), join(busybox, 'busybox'));
    const env = nixEnv(version);
    const args = [
      join(folder, 'chain.nix'),
      '--argstr',
      'salt',
      randomBytes(8).toString('hex'),
      '--arg',
      'busybox',
      busybox,
    ];
    const { stdout: drv } = await run('nix-instantiate', args, { env });
    const drvPath = drv.trim().split('!')[0] ?? '';
    const { stdout: out } = await run('nix-store', ['--realise', drvPath], { env });
    const nix = await openNixUnderTest(version);
    const asked = ['path-info', '--json', '--recursive', ...pathInfoFlags(nix.version), out.trim()];
    const { stdout } = await nix.command(asked);
    const infos = [...parsePathInfo(stdout).values()].filter((info) => info !== null);
    const order = ['one', 'two', 'three'];
    const chain = order.map((name) => infos.find(({ path }) => storePathName(path) === name));
    const frames = await Promise.all(
      chain.map(async (info) => {
        const dump = ['--dump', info?.path ?? ''];
        return zstdCompressSync((await run('nix-store', dump, { env, encoding: 'buffer', maxBuffer: 1e9 })).stdout);
      }),
    );
    const built = chain.map((info) => ({ path: '', narHash: '', narSize: 0, references: [], ...info }));
    await forgetPaths(
      version,
      [...built].reverse().map(({ path }) => path),
    );
    return { drvPath, ...packFrames(built, frames, cut) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Info = Pick<CachedPath, 'path' | 'narHash' | 'narSize'> & { readonly references: readonly string[] };

/** Frames one after the other, cut into packs of `cut` bytes, as the cache does. */
export function packFrames(
  infos: readonly Info[],
  frames: readonly Buffer[],
  cut: number,
): Pick<BuiltChain, 'paths' | 'index' | 'packs'> {
  const all = Buffer.concat(frames);
  const packs: Buffer[] = [];
  for (let at = 0; at < all.length; at += cut) packs.push(all.subarray(at, at + cut));
  let at = 0;
  const paths = infos.map((info, place): CachedPath => {
    const end = at + (frames[place]?.length ?? 0);
    const pieces: { pack: number; offset: number; length: number }[] = [];
    while (at < end) {
      const length = Math.min(end - at, cut - (at % cut));
      pieces.push({ pack: Math.floor(at / cut), offset: at % cut, length });
      at += length;
    }
    return {
      ...info,
      references: [...info.references],
      pieces,
      seconds: 2 + place,
      system: X86,
      isLeaf: false,
      used: 0,
    };
  });
  const described = packs.map((bytes, number) => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { key: `nix-images-v1-pack-${sha256}-test-${number}`, bytes: bytes.length, sha256 };
  });
  return {
    paths,
    index: { version: 1, packs: described, paths, closures: [] },
    packs: new Map(described.map(({ key }, number) => [key, packs[number] ?? Buffer.alloc(0)])),
  };
}

/** Removes paths, those that refer to others first. */
export async function forgetPaths(version: NixUnderTest, paths: readonly string[]): Promise<void> {
  const env = nixEnv(version);
  const valid = await run('nix-store', ['--check-validity', '--print-invalid', ...paths], { env });
  const invalid = new Set(valid.stdout.split('\n'));
  const here = paths.filter((path) => !invalid.has(path));
  if (here.length > 0) await run('nix-store', ['--delete', ...here], { env });
}

/** A store that gives what is in a map, and counts. */
export function memoryStore(packs: ReadonlyMap<string, Buffer>): Pick<CacheStore, 'name' | 'restore'> & {
  readonly restored: string[];
} {
  const restored: string[] = [];
  return {
    name: 'the cache of a test',
    restored,
    async restore(key, file) {
      restored.push(key);
      const bytes = packs.get(key);
      if (bytes === undefined) return false;
      await writeFile(file, bytes);
      return true;
    },
  };
}
