import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { fromText } from '../../src/core/bytes.ts';
import { layerRecord } from '../../src/definition/layer-record.ts';
import { storeHash } from '../../src/definition/store-path.ts';
import type { LayerContent } from '../../src/layer/layer-content.ts';
import { MODE } from '../../src/tar/profile.ts';
import type { LayoutImage } from '../inputs/layout.ts';

const listSchema = z.array(z.array(z.string()));

/** The store paths of each layer of our own image, as its annotations say. */
export function layerList({ manifest }: LayoutImage, closure: readonly string[]): string[][] {
  const byHash = new Map(closure.map((path) => [storeHash(path), path]));
  const layers = manifest.layers.map((layer) => layerRecord(layer)?.storeHashes ?? []);
  return layers.map((hashes) => hashes.flatMap((hash) => byHash.get(hash) ?? [])).filter((paths) => paths.length > 0);
}

/** Reads such a list from a JSON file. Nothing but the path of what is read matters for the bytes. */
export const layersOf = (file: string): Extract<LayerContent, { kind: 'store' }>[] =>
  listSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).map((paths) => ({
    kind: 'store',
    paths: paths.map((path) => ({ path, from: fromText(path) })),
    storeMode: MODE.store,
    over: {},
  }));
