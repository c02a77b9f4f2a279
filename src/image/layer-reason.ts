import { STORE, storeHash, storePathName } from '../definition/store-path.ts';
import { hasForm, type LayerForm } from './layer-form.ts';
import type { LayerBefore } from './previous-image.ts';
import type { Reuse } from './reuse.ts';
import { keyOf, type LayerToSend } from './send-layer.ts';

/** Store paths of one list that are named. */
const SHOWN = 2;

/** Why a layer was made and not reused. */
export type WhyMade =
  /** No image before has layers of this project. */
  | { readonly kind: 'first' }
  /** `recompress` asks for it. */
  | { readonly kind: 'asked' }
  /**
   * Its key is another than that of the layer before with which it shares most: store paths that only this one has, and that only that one
   * had. Both are empty where what stands around the same paths has changed.
   */
  | { readonly kind: 'key'; readonly added: readonly string[]; readonly gone: readonly string[] }
  /** What the image holds outside its store paths has changed. */
  | { readonly kind: 'files' }
  /** The image before has it in other compression. */
  | { readonly kind: 'compression' }
  /** Known from before, but not for these destinations: nobody vouches for it there. */
  | { readonly kind: 'destination'; readonly names: readonly string[] }
  /** An image before names it, and it is not there any more. */
  | { readonly kind: 'lost' };

/** @internal The part of a reuse that says why not. */
export type Before = Pick<Reuse, 'planned' | 'layersOf' | 'isRecompressing'>;

/** A layer that is made, and what was known before. */
interface MadeLayer extends LayerToSend {
  readonly before: Before;
  /** What it is to be packed as. */
  readonly form: LayerForm;
}

/** Why a layer is made, of what was known before it was; `reusable` is what some destinations have of it. */
export function whyMade({ layer, before, form, reusable }: MadeLayer): WhyMade {
  if (before.isRecompressing) return { kind: 'asked' };
  const told = before.layersOf(keyOf(layer));
  if (reusable) return { kind: 'destination', names: reusable.unknownAt.map(({ name }) => name) };
  if (told.length > 0)
    return { kind: told.some(({ descriptor }) => hasForm(descriptor, form)) ? 'lost' : 'compression' };
  if (before.planned.length === 0) return { kind: 'first' };
  return layer.kind === 'tree' && layer.paths.length > 0 ? changedKey(layer.paths, before.planned) : { kind: 'files' };
}

/** Compares a layer's store paths with those of the layer before that it comes nearest to. */
function changedKey(paths: readonly string[], planned: readonly LayerBefore[]): WhyMade {
  const hashes = new Set(paths.map(storeHash));
  const nearest = mostShared(hashes, planned) ?? sameName(paths, planned);
  const had = new Set(nearest?.storeHashes);
  const named = new Map(nearest?.paths.map((path) => [storeHash(path), path]));
  const gone = nearest?.storeHashes.filter((hash) => !hashes.has(hash)) ?? [];
  return {
    kind: 'key',
    added: paths.filter((path) => !had.has(storeHash(path))),
    gone: gone.map((hash) => named.get(hash) ?? `${STORE}/${hash}-…`),
  };
}

/** The layer that has most of these store paths; of several the one with the fewest others. */
function mostShared(hashes: ReadonlySet<string>, planned: readonly LayerBefore[]): LayerBefore | undefined {
  const shared = ({ storeHashes }: LayerBefore): number => storeHashes.filter((hash) => hashes.has(hash)).length;
  return planned
    .filter((before) => shared(before) > 0)
    .sort((a, b) => shared(b) - shared(a) || a.storeHashes.length - b.storeHashes.length)[0];
}

/** The layer that has what the largest of these paths was before, by its name without its version. */
function sameName([first]: readonly string[], planned: readonly LayerBefore[]): LayerBefore | undefined {
  if (first === undefined) return undefined;
  return planned.find(({ paths }) => paths.some((path) => withoutVersion(path) === withoutVersion(first)));
}

const withoutVersion = (path: string): string => storePathName(path).replace(/-\d.*$/, '');

/** The same in words, for a table. */
export function whyText(why: WhyMade): string {
  switch (why.kind) {
    case 'first':
      return 'no earlier image';
    case 'asked':
      return 'made again as asked';
    case 'files':
      return 'key changed: files of the image';
    case 'compression':
      return 'compression changed';
    case 'destination':
      return `new at ${why.names.join(', ')}`;
    case 'lost':
      return 'no longer at its registry';
    case 'key': {
      const parts = [
        ...(why.added.length > 0 ? [some(why.added)] : []),
        ...(why.gone.length > 0 ? [`without ${some(why.gone)}`] : []),
      ];
      return `key changed: ${parts.join(', ') || 'the same store paths'}`;
    }
  }
}

const some = (paths: readonly string[]): string =>
  `${paths.slice(0, SHOWN).join(', ')}${paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : ''}`;
