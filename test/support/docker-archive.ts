import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK, endBlocks, fileHeader, padding } from '../../src/tar/header.ts';
import { MIB } from './bytes.ts';

/** A member of an archive: its name and its bytes, or how many MiB that no codec makes smaller. */
export interface Member {
  readonly name: string;
  readonly content: Uint8Array | number;
}

/** Content without redundancy in reach of a codec's window, yet made at once. */
const noise = randomBytes(MIB);

/** The chunks of a tar. */
export function* tar(members: readonly Member[]): Generator<Uint8Array> {
  for (const { name, content } of members) {
    const size = typeof content === 'number' ? content * MIB : content.length;
    yield fileHeader(name, size);
    if (typeof content !== 'number') yield content;
    else for (let at = 0; at < content; at += 1) yield noise;
    yield Buffer.alloc(padding(size));
  }
  yield endBlocks();
}

export const tarBytes = (members: readonly Member[]): Buffer => Buffer.concat([...tar(members)]);

export const digest = (chunks: Iterable<Uint8Array>): string => {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
};

/** An image's config that names these layers. */
export const configOf = (diffIds: readonly string[], architecture = 'amd64'): Buffer =>
  Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: [],
    }),
  );

export const manifestOf = (config: string, layers: readonly string[], tags: readonly string[] = ['test/app:1']) => ({
  Config: config,
  RepoTags: tags,
  Layers: layers,
});

/** Members of a docker-archive: its layers, their config, manifest.json. */
export const dockerArchive = (
  layers: readonly Uint8Array[],
  { diffIds = layers.map((layer) => digest([layer])), architecture = 'amd64' } = {},
): Member[] => {
  const names = layers.map((_, at) => `layer-${at}/layer.tar`);
  return [
    ...layers.map((content, at) => ({ name: names[at] ?? '', content })),
    { name: 'config.json', content: configOf(diffIds, architecture) },
    { name: 'manifest.json', content: Buffer.from(JSON.stringify([manifestOf('config.json', names)])) },
  ];
};

const write = async (file: FileHandle, chunks: Iterable<Uint8Array>): Promise<number> => {
  let size = 0;
  for (const chunk of chunks) {
    await file.write(chunk);
    size += chunk.length;
  }
  return size;
};

/** Writes a docker-archive whose layers hold a file of so many MiB each, without having one in memory. */
export async function writeLargeArchive(path: string, sizes: readonly number[]): Promise<void> {
  const layers = sizes.map((content, at): Member[] => [{ name: `data-${at}`, content }]);
  const names = sizes.map((_, at) => `layer-${at}.tar`);
  await using file = await open(path, 'w');
  for (const [at, size] of sizes.entries()) {
    const whole = size * MIB + 3 * BLOCK;
    await write(file, [fileHeader(names[at] ?? '', whole)]);
    await write(file, tar(layers[at] ?? []));
    await write(file, [Buffer.alloc(padding(whole))]);
  }
  await write(
    file,
    tar([
      { name: 'config.json', content: configOf(layers.map((layer) => digest(tar(layer)))) },
      { name: 'manifest.json', content: Buffer.from(JSON.stringify([manifestOf('config.json', names)])) },
    ]),
  );
}
