import { z } from 'zod';
import { canonicalJson } from '../core/canonical-json.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { type History, historyEntry } from '../oci/config.ts';
import type { PlannedLayer } from './layer.ts';
import { storePathSchema } from './store-path-schema.ts';

/** The words of a layer in the image's history. */
export const layerHistory = (layer: PlannedLayer): History =>
  historyEntry(
    layer.kind === 'store'
      ? `store paths: ${canonicalJson(layer.paths.map((info) => info.path))}`
      : 'root: merged packages, files and accounts',
  );

const STORE_PATHS = /^store paths: (\[.*\])$/s;

/** The store paths that a history entry lists: ours, and in the same words dockerTools'. */
export function storePathsIn(history: History | undefined): string[] {
  const [, list] = STORE_PATHS.exec(history?.comment ?? '') ?? [];
  if (list === undefined) return [];
  // dockerTools prints a list as Python does, in single quotes, which no store path holds. Another maker's words are shown
  // as they are.
  return tryDecodeJson(list.replaceAll("'", '"'), z.array(storePathSchema)) ?? [];
}
