import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Definition, Root } from '../../../src/definition/definition.ts';
import { readImageClosure } from '../../../src/image/from-definition/image-closure.ts';
import { type ImagePaths, openImagePaths } from '../../../src/image/from-definition/image-paths.ts';
import { type ReadClosure, validPaths } from '../../../src/nix/closure.ts';
import { withGcRoots } from '../../../src/nix/gc-roots.ts';
import { realise } from '../../../src/nix/realise.ts';
import { nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { type Loopback, listenOnLoopback } from '../../support/tools.ts';
import { createNixFixture, type NixFixture } from './fixture.ts';

describe.each(nixVersionsUnderTest())('store paths that only a cache has, with $label', (version) => {
  let fixture: NixFixture;
  let server: Loopback;
  let cache: string;
  /** The NAR files that were requested. */
  let asked: string[] = [];
  /** How many more requests for a NAR file are told that there is none. */
  let lost = 0;

  beforeAll(async () => {
    fixture = await createNixFixture();
    cache = join(fixture.dir, 'cache');
    server = await listenOnLoopback(
      createServer((request, response) => {
        const path = request.url ?? '/';
        const isNar = request.method === 'GET' && path.startsWith('/nar/');
        if (isNar) asked.push(path.slice('/nar/'.length));
        const gone = isNar && lost > 0;
        if (gone) lost -= 1;
        const file = join(cache, path);
        if (gone || !existsSync(file)) response.writeHead(404).end();
        else if (request.method === 'HEAD') response.end();
        else createReadStream(file).pipe(response);
      }),
    );
  });
  afterAll(async () => {
    await server?.close();
    await fixture?.remove();
  });

  /** A store of its own for each test, python3 and libc in the cache alone, and a Nix that trusts the cache. */
  const setUp = async (name: string) => {
    asked = [];
    const dir = join(fixture.dir, name);
    const tempDir = join(dir, 'temp');
    const gcRootDir = join(dir, 'roots');
    await Promise.all([tempDir, gcRootDir].map((path) => mkdir(path, { recursive: true })));
    const here = await openNixUnderTest(version);
    const salt = JSON.stringify(`${process.pid}-${Math.random()}`);
    const source = `((import ${fixture.dir}/packages.nix { salt = ${salt}; }).packagesOf "x86_64-linux").python3`;
    const evaluated = await here.command([
      'eval',
      '--impure',
      '--json',
      '--expr',
      `let p = ${source}; in [ p.drvPath "\${p}" ]`,
    ]);
    expect(evaluated.exitCode, evaluated.stderr).toBe(0);
    const [drvPath, outPath] = JSON.parse(evaluated.stdout) as [string, string];
    const root: Root = { drvPath, output: 'out', outPath };
    await withGcRoots((building) => realise(here, [root], { gcRootDir: building }));
    const { stdout } = await here.store(['--query', '--requisites', outPath]);
    const paths = stdout.trim().split('\n');
    const copied = await here.command(['copy', '--no-check-sigs', '--to', `file://${cache}?compression=none`, outPath]);
    expect(copied.exitCode, copied.stderr).toBe(0);
    const { stdout: referrers } = await here.store(['--query', '--referrers-closure', ...paths]);
    const deleted = await here.store(['--delete', '--ignore-liveness', ...referrers.trim().split('\n')]);
    expect(deleted.exitCode, deleted.stderr).toBe(0);
    const nix = await openNixUnderTest(version, {
      env: {
        NIX_CONFIG: `${TEST_NIX_CONFIG}substituters = ${server.url}?trusted=1\n`,
        // Another cache of narinfos for each test, for their servers have the same ports at times.
        XDG_CACHE_HOME: join(dir, 'nix-cache'),
      },
    });
    const definition = { roots: [root], fromImage: undefined } as unknown as Definition;
    const image = await readImageClosure(nix, definition, gcRootDir);
    const libc = paths.find((path) => path.endsWith('-libc-2.0')) ?? '';
    expect(image.closure.map(({ path }) => path).sort()).toEqual([libc, outPath].sort());
    const openPaths = (demand: string[][], known: ReadClosure = image): Promise<ImagePaths> =>
      openImagePaths(nix, definition, { image: known, demand, gcRootDir, tempDir });
    const isHere = async (): Promise<string[]> => [...(await validPaths(nix, [libc, outPath]))];
    return { image, libc, python: outPath, tempDir, openPaths, isHere };
  };

  const narinfo = (path: string): string => join(cache, `${path.slice('/nix/store/'.length, 43)}.narinfo`);

  const narOf = async (path: string): Promise<string> =>
    /^URL: nar\/(.*)$/m.exec(await readFile(narinfo(path), 'utf8'))?.[1] ?? '';

  const hashOf = (path: string): string =>
    `sha256-${createHash('sha256')
      .update(execFileSync('nix-store', ['--dump', path]))
      .digest('base64')}`;

  test('are read as one NAR each, without what they refer to, and never enter the store', async () => {
    const { image, libc, python, tempDir, openPaths, isHere } = await setUp('read');
    const paths = await openPaths([[python], [libc], [python]]);
    const taken = await paths.lease([python]);
    expect(asked).toEqual([await narOf(python)]);
    const place = taken.places.get(python) ?? '';
    expect(place.startsWith(tempDir)).toBe(true);
    expect([...taken.places.keys()]).toEqual([python]);
    expect(hashOf(place)).toBe(image.closure.find(({ path }) => path === python)?.narHash);
    // Another layer is going to read it, so it stays, and is not fetched again.
    await taken.release();
    const again = await paths.lease([libc, python]);
    expect(again.places.get(python)).toBe(place);
    expect(asked).toEqual([await narOf(python), await narOf(libc)]);
    await again.release();
    expect(await readdir(tempDir)).toEqual([]);
    expect(await isHere()).toEqual([]);
  });

  test('are refused when their bytes are not those that were promised', async () => {
    const { image, libc, tempDir, openPaths, isHere } = await setUp('spoiled');
    const file = join(cache, 'nar', await narOf(libc));
    const good = await readFile(file);
    const flipped = Buffer.from(good);
    // The last byte of the archive's only file is changed: still a NAR, but another one.
    const at = flipped.indexOf('x86_64-linux');
    flipped[at] = 'y'.charCodeAt(0);
    const refused = async (): Promise<void> => {
      await expect((await openPaths([[libc]])).lease([libc])).rejects.toMatchObject({
        name: 'UserError',
        code: 'digest',
        message: expect.stringMatching(new RegExp(`^${libc} from ${server.url} does not match its narinfo`)),
      });
      expect(await readdir(tempDir)).toEqual([]);
      expect(await isHere()).toEqual([]);
    };
    expect(at).toBeGreaterThan(0);
    await writeFile(file, flipped);
    await refused();
    await writeFile(file, good);
    const wrong = image.closure.map((info) => ({ ...info, narSize: info.narSize - 1 }));
    const paths = await openPaths([[libc]], { ...image, closure: wrong });
    await expect(paths.lease([libc])).rejects.toThrow(/more than \d+ bytes/);
    expect(await readdir(tempDir)).toEqual([]);
  });

  test('are realised when the cache does not hand out the NAR', async () => {
    const { libc, tempDir, openPaths, isHere } = await setUp('realised');
    const paths = await openPaths([[libc]]);
    lost = 1;
    const taken = await paths.lease([libc]);
    expect([...taken.places]).toEqual([]);
    expect(await isHere()).toEqual([libc]);
    expect(await readdir(tempDir)).toEqual([]);
    await taken.release();
  });
});
