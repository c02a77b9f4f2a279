import { createHash } from 'node:crypto';
import { toText } from '../core/bytes.ts';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import type { Digest } from '../oci/digest.ts';
import { TAR_PROFILE_VERSION } from '../tar/profile.ts';
import { type AccountFiles, accountFiles } from './accounts.ts';
import type { Attributes } from './base-view.ts';
import type { Closure, StorePathInfo } from './closure.ts';
import type { Definition } from './definition.ts';
import { storePathOf } from './store-path.ts';

/** Store paths as they are. */
export interface StoreLayer {
  readonly kind: 'store';
  readonly paths: readonly StorePathInfo[];
  /** Mode of /nix/store, which is in every store layer. */
  readonly storeMode: number;
  readonly over: StoreOverBase;
  /** On the last layer of an image that has no root layer: what is known of the base, as text; see BaseRecord. */
  readonly base?: string | undefined;
}

/** How a base has the directories that stand in every store layer; nothing where it has them not. */
export interface StoreOverBase {
  readonly nix?: Attributes;
  readonly store?: Attributes;
}

/** Everything an image holds outside its store paths: merged root, files, accounts, Nix database. */
export interface RootLayer {
  readonly kind: 'root';
  readonly copyToRoot: readonly StorePathInfo[];
  /** What gives way to it. */
  readonly replaceable: readonly StorePathInfo[];
  readonly rootFiles: Definition['rootFiles'];
  readonly files: Definition['files'];
  /** Store paths that `files` takes content from. */
  readonly sources: readonly StorePathInfo[];
  /** Everything those refer to: a link in one may lead to content of another, which is then content of this layer. */
  readonly linked: Closure;
  /** As they are without a base. */
  readonly accounts: AccountFiles | undefined;
  readonly database: NixDatabase | undefined;
  readonly over: RootOverBase | undefined;
}

/** What lies below a root layer: its content depends on that too. */
interface RootOverBase {
  /** Names the content of the base; see `baseId`. */
  readonly base: string;
  readonly users: Definition['users'];
  readonly groups: Definition['groups'];
}

interface NixDatabase {
  readonly closure: Closure;
  /** Store paths that garbage collection inside the image must keep. */
  readonly roots: readonly string[];
}

/** A layer of a definition: what is in it, as plain data. */
export type PlannedLayer = StoreLayer | RootLayer;

/** The root layer of a definition, over a base or none; undefined when it has nothing outside the store. */
export function rootLayer(definition: Definition, closure: Closure, base: string | undefined): RootLayer | undefined {
  const infos = new Map(closure.map((info) => [info.path, info]));
  const info = (path: string): StorePathInfo => {
    const found = infos.get(path);
    // The roots of a definition come from the same strings, so this is a bug, not bad input.
    if (!found) throw new Error(`${path} is named by the definition but not in its closure`);
    return found;
  };
  const files = Object.values(definition.files);
  const sources = files.flatMap((file) => (file.type === 'source' ? [storePathOf(file.source)] : []));
  const accounts = accountFiles(definition.users, definition.groups);
  const trees = [...definition.copyToRoot, ...definition.replaceable];
  if (trees.length === 0 && files.length === 0 && !accounts && !definition.includeNixDB) return undefined;
  return {
    kind: 'root',
    copyToRoot: definition.copyToRoot.map(info),
    replaceable: definition.replaceable.map(info),
    rootFiles: definition.rootFiles,
    files: definition.files,
    sources: [...new Set(sources)].sort().map(info),
    linked: reachableFrom([...trees, ...sources], infos),
    accounts,
    database: definition.includeNixDB ? { closure, roots: definition.roots.map((root) => root.outPath) } : undefined,
    over: base === undefined ? undefined : { base, users: definition.users, groups: definition.groups },
  };
}

function reachableFrom(paths: readonly string[], infos: ReadonlyMap<string, StorePathInfo>): Closure {
  const found = new Map<string, StorePathInfo>();
  const todo = [...paths];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const info = infos.get(path);
    if (!info || found.has(path)) continue;
    found.set(path, info);
    todo.push(...info.references);
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Names the content of a layer whose tar another tool made, as 64 hexadecimal digits: all that is known of it is the hash
 * of the tar itself.
 */
export const tarKey = (diffId: Digest): string => createHash('sha256').update(canonicalJson({ diffId })).digest('hex');

/**
 * Names a layer's content: the SHA-256 (hexadecimal) of the canonical JSON of its entries and the tar profile. Equal
 * keys give equal tar bytes; the codec is not part of it. Computed from what Nix knows, so no path need be on disk.
 */
export function layerKey(layer: PlannedLayer): string {
  const content = layer.kind === 'store' ? storeEntries(layer) : rootEntries(layer);
  return createHash('sha256')
    .update(canonicalJson({ profile: TAR_PROFILE_VERSION, ...content }))
    .digest('hex');
}

const pathEntry = (info: StorePathInfo, mapping: string): Json => [info.path, info.narHash, info.narSize, mapping];

const storeEntries = (layer: StoreLayer): { [key: string]: Json } => ({
  entries: layer.paths.map((info) => pathEntry(info, 'store')),
  storeMode: layer.storeMode,
  // Layers over nothing and over a base without a store are the same.
  ...(layer.over.nix || layer.over.store ? { over: { ...layer.over } as Json } : {}),
});

const rootEntries = (layer: RootLayer): { [key: string]: Json } => ({
  entries: [
    ...layer.copyToRoot.map((info) => pathEntry(info, `root-${layer.rootFiles}`)),
    ...layer.replaceable.map((info) => pathEntry(info, `replaceable-${layer.rootFiles}`)),
    ...layer.sources.map((info) => pathEntry(info, 'source')),
    ...layer.linked.map((info) => pathEntry(info, 'linked')),
  ],
  files: layer.files,
  accounts: layer.accounts ? textsOf(layer.accounts) : null,
  database: layer.database
    ? {
        paths: layer.database.closure.map((info) => [info.path, info.narHash, info.narSize, [...info.references]]),
        roots: [...layer.database.roots],
      }
    : null,
  ...(layer.over ? { over: { ...layer.over } } : {}),
});

const textsOf = (files: AccountFiles): Json =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [name, toText(text)]));
