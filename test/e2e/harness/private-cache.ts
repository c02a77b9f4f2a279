import { createReadStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { z } from 'zod';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { listenOnLoopback, runProgram, uniqueTempDir } from '../../support/tools.ts';
import { lockedFlake } from './consumer.ts';
import { flakeInputs } from './flake-inputs.ts';
import { writeFiles } from './repository.ts';

/** What `nix build --json` prints of one derivation. */
const BUILT = z.tuple([z.object({ outputs: z.object({ out: z.string() }) })]);

/** A binary cache that wants a password, as those of Cachix that are private do. */
export interface PrivateCache extends AsyncDisposable {
  /** Its address, as in `substituters`. */
  readonly url: string;
  readonly publicKey: string;
  /** flake.nix and flake.lock of an image `app` for x86-64 with a package that only the cache has, and no machine can build. */
  readonly flake: Readonly<Record<string, string>>;
  /** Paths that were asked for, with the password and without. */
  asked(): { readonly allowed: readonly string[]; readonly refused: readonly string[] };
}

const flakeText = (packages: string, release: string, source: string): string => `{
  ${flakeInputs(packages, release)}

  outputs = { nixpkgs, nix-images, ... }:
    let
      inherit (nixpkgs.legacyPackages.x86_64-linux) busybox;
      # It reads a file that is there once.
      private = derivation {
        name = "private";
        system = "x86_64-linux";
        builder = "\${busybox}/bin/sh";
        args = [ "-euc" "mkdir $out; cp ${source} $out/private" ];
        PATH = "\${busybox}/bin";
      };
    in
    {
      packages.x86_64-linux.private = private;
      nixImages.x86_64-linux.app = nix-images.lib.mkImage {
        name = "app";
        copyToRoot = [ busybox private ];
        config.Cmd = [ "\${busybox}/bin/cat" "/private" ];
      };
    };
}
`;

/** Starts one with the login `password`. `text` is in the file /private of the image; `release` is the release tree. */
export async function startPrivateCache(release: string, password: string, text: string): Promise<PrivateCache> {
  const folder = await uniqueTempDir('private-cache');
  const at = (name: string): string => join(folder.path, name);
  const [source, cache, secret, key] = [at('source'), at('cache'), at('secret-key'), at('key')];
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runProgram(program, args, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
    if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const nix = (...args: string[]) => run('nix', '--extra-experimental-features', 'nix-command flakes', ...args);

  const flake = await lockedFlake(flakeText(await debianPackages(), release, source));
  await writeFiles(folder.path, { source: text });
  await writeFiles(at('flake'), flake);
  await run('nix-store', '--generate-binary-cache-key', 'acme.example-1', secret, key);
  const [built] = BUILT.parse(JSON.parse(await nix('build', '--no-link', '--json', `path:${at('flake')}#private`)));
  const path = built.outputs.out;
  await nix('copy', '--to', `file://${cache}?secret-key=${secret}`, path);
  await run('nix-store', '--delete', '--ignore-liveness', path);
  await rm(source);

  const allowed: string[] = [];
  const refused: string[] = [];
  const server = await listenOnLoopback(
    createServer(async (request, response) => {
      const asked = request.url ?? '/';
      const [, login = ''] = (request.headers.authorization ?? '').split(' ');
      const isRight = Buffer.from(login, 'base64').toString().split(':')[1] === password;
      (isRight ? allowed : refused).push(asked);
      const file = join(cache, new URL(asked, 'http://cache').pathname);
      const isThere = (await stat(file).catch(() => undefined))?.isFile() === true;
      if (!isRight) response.writeHead(401).end();
      else if (!isThere) response.writeHead(404).end();
      else if (request.method === 'HEAD') response.end();
      else createReadStream(file).pipe(response);
    }),
  );
  return {
    url: server.url,
    publicKey: (await readFile(key, 'utf8')).trim(),
    flake,
    asked: () => ({ allowed, refused }),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await folder.remove();
    },
  };
}
