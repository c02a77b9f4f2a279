import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { type Compressor, externalCodec } from '../../../src/layer/external-codec.ts';
import { CODECS } from '../../../src/oci/compression.ts';
import { MIB } from '../../support/bytes.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('external-codec');
});
afterAll(() => temp?.remove());

const codec = (program: Compressor, env: NodeJS.ProcessEnv = {}, signal = new AbortController().signal, level = 1) =>
  externalCodec(program, level, { exec: createExec({ env: { ...process.env, ...env }, signal }), signal });

/** `bytes` in blocks of 1 MiB, each overwritten when it comes back, as the next use of a pool's block would. */
function inBlocks(bytes: Uint8Array) {
  const out = new Set<Uint8Array>();
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += MIB) {
      const block = Buffer.from(bytes.subarray(at, at + MIB));
      out.add(block);
      yield block;
    }
  }
  const release = (block: Uint8Array) => {
    expect(out.delete(block)).toBe(true);
    block.fill(0xaa);
  };
  return { out, blocks: blocks(), release };
}

async function packed(bytes: Uint8Array, ...which: Parameters<typeof codec>): Promise<Buffer> {
  const { out, blocks, release } = inBlocks(bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of codec(...which).compress(blocks, { parallel: 1, release })) chunks.push(chunk);
  expect(out.size).toBe(0);
  return Buffer.concat(chunks);
}

async function* forever(): AsyncGenerator<Uint8Array> {
  for (;;) yield randomBytes(MIB);
}

/** A folder with a program of that name, which writes its process number to a file and goes on as `script` says. */
async function standIn(program: Compressor, script: string) {
  const folder = join(temp.path, crypto.randomUUID());
  await mkdir(folder);
  const pidFile = join(folder, 'pid');
  await writeFile(join(folder, program), `#!/bin/sh\necho $$ > ${pidFile}\n${script}\n`);
  await chmod(join(folder, program), 0o755);
  return { env: { PATH: `${folder}:${process.env.PATH}` }, pid: async () => Number(await readFile(pidFile, 'utf8')) };
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const CONTENTS: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['9 MiB of zero bytes', Buffer.alloc(9 * MIB)],
  ['9 MiB and a bit at random', randomBytes(9 * MIB + 77)],
];

describe.each<[Compressor, string]>([
  ['igzip', 'isal'],
  ['pigz', 'pigz'],
])('%s', (program, debianPackage) => {
  test.each(CONTENTS)('%s comes back, and gives equal bytes twice', async (_name, bytes) => {
    const once = await packed(bytes, program);
    const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
    expect(sha256(gunzipSync(once))).toBe(sha256(bytes));
    expect(sha256(await packed(bytes, program))).toBe(sha256(once));
  });

  test('takes its lowest and its highest level', async () => {
    const text = await readFile(process.execPath).then((bytes) => bytes.subarray(0, 3 * MIB));
    const { least, most } = CODECS[program];
    const sizes: number[] = [];
    for (const level of [least, most]) {
      const bytes = await packed(text, program, {}, undefined, level);
      expect(gunzipSync(bytes).equals(text)).toBe(true);
      sizes.push(bytes.length);
    }
    expect(sizes[1]).toBeLessThan(sizes[0] ?? 0);
  });

  test('does not listen to the environment', async () => {
    const bytes = await readFile(process.execPath).then((all) => all.subarray(0, 2 * MIB));
    const plain = await packed(bytes, program);
    expect((await packed(bytes, program, { GZIP: '-9 -b 1024', PIGZ: '-9 -b 1024' })).equals(plain)).toBe(true);
  });

  test('that is missing is named with its package', async () => {
    const running = packed(Buffer.from('x'), program, { PATH: temp.path });
    await expect(running).rejects.toMatchObject({
      code: 'file',
      message: `cannot run ${program}: no such program`,
      hint: expect.stringMatching(new RegExp(`${debianPackage}.*nixpkgs.*compression = "gzip"`)),
    });
  });

  test.each<[string, string, RegExp]>([
    ['is killed', 'head -c 2000000 >/dev/null; kill -9 $$', /ended with 137/],
    ['fails', 'head -c 2000000 >/dev/null; echo no space >&2; exit 3', /ended with 3: no space/],
    ['ends early as if all were well', 'echo enough >&2; exit 0', /before it had read all of its input: enough/],
    ['prints garbage', 'cat', /not its input compressed/],
    ['prints nothing', 'cat >/dev/null', /not its input compressed/],
    ['leaves out the end', 'gzip -nc | head -c -1', /not its input compressed/],
    ['leaves out some input', 'head -c 1000000 | gzip -nc; cat >/dev/null', /not its input compressed/],
    ['puts the time in', 'gzip -nc | { head -c 4; printf abcd; head -c 4 >/dev/null; cat; }', /not its input/],
  ])('that %s makes the layer fail', async (_name, script, says) => {
    const { env } = await standIn(program, script);
    const running = packed(randomBytes(9 * MIB), program, env);
    await expect(running).rejects.toMatchObject({ code: 'file', message: expect.stringMatching(says) });
  });

  test('is ended when the reader gives up, and the source is closed', async () => {
    const { env, pid } = await standIn(program, 'exec cat');
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* forever();
      } finally {
        closed = true;
      }
    }
    for await (const _ of codec(program, env).compress(source(), { parallel: 1 })) break;
    expect(isAlive(await pid())).toBe(false);
    expect(closed).toBe(true);
  });

  test('is ended by the signal', async () => {
    const { env, pid } = await standIn(program, 'exec cat');
    const controller = new AbortController();
    const read = async () => {
      for await (const _ of codec(program, env, controller.signal).compress(forever(), { parallel: 1 }))
        controller.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: 'cancelled' });
    expect(isAlive(await pid())).toBe(false);
  });

  test('is ended when the source fails, with the words of the source', async () => {
    const { env, pid } = await standIn(program, 'exec cat');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield randomBytes(MIB);
      throw new Error('the disk is gone');
    }
    const read = async () => {
      for await (const _ of codec(program, env).compress(source(), { parallel: 1 }));
    };
    await expect(read()).rejects.toThrow('the disk is gone');
    expect(isAlive(await pid())).toBe(false);
  });
});
