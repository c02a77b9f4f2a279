import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { unmountBelow } from './mounts.ts';
import { describeTree } from './rootfs.ts';
import { type ProgramResult, runProgram, type TempDir, uniqueTempDir } from './tools.ts';

const imagesSchema = z.array(
  z.looseObject({ id: z.string(), layer: z.string(), names: z.array(z.string()).default([]) }),
);
const layersSchema = z.array(z.looseObject({ id: z.string(), parent: z.string().optional() }));

/** Where containers/storage keeps images, in a folder of its own; needs root, as its driver overlay does. */
export interface ImageStore extends AsyncDisposable {
  /** For programs that are to use it. */
  readonly env: Readonly<Record<string, string>>;
  /** Identity and root file system of an image by its name, as `describeTree` has it; undefined where there is none. */
  find(name: string): Promise<{ readonly id: string; readonly tree: ReadonlyMap<string, string> } | undefined>;
}

/** Makes an empty store. `isPartial`: whether images are to be pulled in part. */
export async function openImageStore({ isPartial = true, driver = 'overlay' } = {}): Promise<ImageStore> {
  const folder = await uniqueTempDir('images');
  const settings = join(folder.path, 'storage.conf');
  const places = `driver = "${driver}"\ngraphroot = "${folder.path}/graph"\nrunroot = "${folder.path}/run"\n`;
  const options = `[storage.options.pull_options]\nenable_partial_images = "${isPartial}"\n`;
  await writeFile(settings, `[storage]\n${places}${options}`);
  await mkdir(join(folder.path, 'blobs'));
  return {
    env: { CONTAINERS_STORAGE_CONF: settings, BLOB_INFO_CACHE: join(folder.path, 'blobs') },
    find: (name) => findImage(join(folder.path, 'graph'), driver, name),
    [Symbol.asyncDispose]: () => removeStore(folder),
  };
}

async function findImage(graph: string, driver: string, name: string) {
  const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(graph, file), 'utf8'));
  const images = imagesSchema.parse(await read(`${driver}-images/images.json`).catch(() => []));
  const image = images.find(({ names }) => names.includes(name));
  if (image === undefined) return undefined;
  const layers = new Map(
    layersSchema.parse(await read(`${driver}-layers/layers.json`)).map((layer) => [layer.id, layer]),
  );
  const tree = new Map<string, string>();
  // From the top, whose files count; our layers take nothing away.
  for (let layer = layers.get(image.layer); layer !== undefined; layer = layers.get(layer.parent ?? '')) {
    const root = driver === 'vfs' ? join(graph, 'vfs/dir', layer.id) : join(graph, 'overlay', layer.id, 'diff');
    for (const [path, what] of await describeTree(root)) if (!tree.has(path)) tree.set(path, what);
  }
  return { id: image.id, tree };
}

/** The driver mounts its own folder, and stays so. */
async function removeStore(folder: TempDir): Promise<void> {
  await unmountBelow(folder.path);
  await folder.remove();
}

/** Copies an image from a registry into a store, by a program that takes source and destination. */
export const pullWith = (
  words: readonly [string, ...string[]],
  image: string,
  name: string,
  store: ImageStore,
): Promise<ProgramResult> =>
  runProgram(words[0], [...words.slice(1), `docker://${image}`, `containers-storage:${name}`], { env: store.env });
