import { open, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type ByteString, toBytes, toText } from '../../core/bytes.ts';
import { canonicalJson, type Json } from '../../core/canonical-json.ts';
import { decodeJson, tryDecodeJson } from '../../core/decode-json.ts';
import { UserError } from '../../core/error.ts';
import { withFileErrors } from '../../core/file-error.ts';
import { pathInStore } from '../../layer/inside-store.ts';
import type { ToolImage } from '../../nix/tool-image.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestSchema } from '../../oci/digest-schema.ts';
import { isForSystem } from '../../oci/platform.ts';
import { platformOf, platformText, type System } from '../../oci/system.ts';
import { readSlice } from '../../storage/file-blob.ts';
import { endBlocks, padding } from '../../tar/header.ts';
import { openPlainFile } from '../../tar/index.ts';
import { listedHeader } from '../../tar/listed-header.ts';
import { encodingOf } from '../encoding.ts';
import { type Image, imageOfTool } from '../image.ts';
import type { StreamLayer } from '../layer.ts';
import { listedPath, listedPathSchema } from './listed-path.ts';
import { type ListedEntry, listedEntries } from './listed-tree.ts';

/** Bytes of a list of layers; one with 10,000 paths takes 3 MB. */
const LIST_LIMIT = 64 * 1024 * 1024;

/** The only version that nix2container has written so far. */
const VERSION = 1;

const layerSchema = z.strictObject({
  digest: z.string(),
  /** Of the layer as it is where it was made: its tar, or the packed file at `layer-path`. */
  size: z.number().optional(),
  mediatype: z.string().optional(),
  diff_ids: digestSchema,
  paths: z.array(listedPathSchema).nullish(),
  'layer-path': z.string().nullish(),
  History: z.record(z.string(), z.json()).nullish(),
});

/** What nix2container's buildImage writes (its `types.Image`). */
const listSchema = z.strictObject({
  version: z.literal(VERSION, `expected version ${VERSION}`),
  'image-config': z.record(z.string(), z.json()).nullish(),
  layers: z.array(layerSchema),
  arch: z.string(),
  created: z.string().nullish(),
});

type LayerList = z.infer<typeof listSchema>;
type ListedLayer = z.infer<typeof layerSchema>;

/**
 * Opens the list of layers that nix2container's buildImage makes: layers of store paths are made again as it would make
 * them, layers in files are read. A layer that comes out otherwise than the list says is an error where it is sent. Throws
 * UserError `file` for what is no such list or says what is not known here, `platforms` for another architecture.
 */
export async function openLayerList(toolImage: ToolImage, system: System): Promise<Image> {
  const path = pathInStore(toolImage.outPath);
  const list = await readList(path);
  const wanted = platformOf(system);
  if (!isForSystem({ os: wanted.os, architecture: list.arch }, system)) {
    throw new UserError('platforms', `${path} is for linux/${list.arch}, not for ${platformText(wanted)}`, {
      hint: `Make it of the packages of ${system}, or set arch = "${wanted.architecture}".`,
    });
  }
  return {
    ...imageOfTool(toolImage, system),
    layers: await Promise.all(list.layers.map((layer, at) => streamLayer(layer, `${path}: layer ${at + 1}`))),
    annotations: {},
    config: ({ diffIds }) => configBytes(list, system, diffIds),
    close: async () => {},
  };
}

async function readList(path: string): Promise<LayerList> {
  const text = await withFileErrors(path, 'read', async () => {
    const file = await openPlainFile(path);
    const { size } = await file.stat();
    await file.close();
    if (size <= LIST_LIMIT) return readFile(path, 'utf8');
    throw new UserError('file', `${path} has ${size} bytes, where a list of layers has at most ${LIST_LIMIT}`, {
      hint: 'Name the image itself: what nix2container.buildImage makes.',
    });
  });
  try {
    return decodeJson(text, listSchema, {
      code: 'file',
      what: path,
      mismatch: "is not what nix2container's buildImage makes",
      hint: 'Name the image itself, not what pulls or copies it; a newer nix2container may write another form.',
    });
  } catch (error) {
    const shape = listSchema.safeParse(tryDecodeJson(text, z.unknown())).error;
    const unknown = shape && unknownField(shape);
    if (unknown === undefined) throw error;
    const what = `has the field ${unknown}, which version ${VERSION} of its form does not have`;
    throw new UserError('file', `${path} ${what}`, {
      hint: 'A newer nix2container, or a branch of it, wrote it. Without what the field means the image would be another one: use a released nix2container, or a nix-images that knows the field.',
    });
  }
}

/** The first field that the schema does not know, as `layers[0].paths[1].options.perms[0].name`. */
function unknownField({ issues }: z.ZodError): string | undefined {
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    return z.core.toDotPath([...issue.path, ...issue.keys.slice(0, 1)]);
  }
  return undefined;
}

async function streamLayer(layer: ListedLayer, label: string): Promise<StreamLayer> {
  const common = {
    kind: 'stream',
    label,
    diffId: layer.diff_ids,
    isVerified: false,
    descriptor: undefined,
    size: layer.size ?? 0,
  } as const;
  const file = layer['layer-path'];
  if (file) {
    const path = pathInStore(file);
    const read = () => fileBytes(path);
    return { ...common, encoding: await encodingOf(label, read()), read };
  }
  if (!layer.paths) {
    throw new UserError('file', `${label} has neither paths nor a file`, { hint: 'Build the image again.' });
  }
  const paths = layer.paths.map(listedPath);
  return { ...common, encoding: 'tar', read: () => tarBytes(listedEntries(paths)) };
}

async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  const file = await openPlainFile(path);
  try {
    yield* readSlice(file, path, 0, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

async function* tarBytes(entries: readonly ListedEntry[]): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield listedHeader(entry);
    if (entry.size === 0) continue;
    yield* contentBytes(entry.source, entry.size);
    yield Buffer.alloc(padding(entry.size));
  }
  yield endBlocks();
}

async function* contentBytes(source: ByteString, size: number): AsyncGenerator<Uint8Array> {
  const path = toText(source);
  const file = await withFileErrors(path, 'read', () => open(toBytes(source), 'r'));
  let left = size;
  try {
    for await (const chunk of readSlice(file, path, 0, size)) {
      left -= chunk.length;
      yield chunk;
    }
  } finally {
    await file.close();
  }
  if (left > 0) {
    throw new UserError('file', `${path} is shorter than its ${size} bytes`, {
      hint: 'Store paths never change by themselves: check the store with `nix-store --verify --check-contents`.',
    });
  }
}

const configBytes = (list: LayerList, system: System, diffIds: readonly Digest[]): Uint8Array =>
  Buffer.from(
    canonicalJson({
      ...platformOf(system),
      ...(list.created ? { created: list.created } : {}),
      config: (list['image-config'] ?? {}) as Json,
      rootfs: { type: 'layers', diff_ids: [...diffIds] },
      history: list.layers.map(({ History }) => (History ?? {}) as Json),
    } as Json),
  );
