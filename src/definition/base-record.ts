import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ByteString } from '../core/bytes.ts';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Digest } from '../oci/digest.ts';
import type { BaseNode, BaseView } from './base-view.ts';

/**
 * What was asked about a base, and answered, when an image was put on top of it: enough to put a changed image there
 * without reading the base again, as long as it asks nothing else.
 */
export interface BaseRecord {
  /** Names the base: see `baseId`. */
  readonly base: string;
  readonly nodes: ReadonlyMap<ByteString, BaseNode | undefined>;
}

/** Names the content of a base, as 64 hexadecimal digits: equal diffIDs, equal trees. */
export const baseId = (diffIds: readonly Digest[]): string =>
  createHash('sha256')
    .update(canonicalJson([...diffIds]))
    .digest('hex');

/** Characters of a record at most; it is in a manifest, of which registries take 4 MiB, and most have 1 to 3 kB. */
const RECORD_LIMIT = 64 * 1024;

const number = z.int().nonnegative();
const attributes = z.tuple([number, number, number, number]);
/** A directory with its folders, a link's target, a file, a file that lists accounts with its text, nothing. */
const nodeSchema = z.union([
  z.tuple([z.literal('d'), attributes, z.array(z.string())]),
  z.tuple([z.literal('l'), z.string()]),
  z.tuple([z.literal('f')]),
  z.tuple([z.literal('f'), attributes, z.string().nullable()]),
  z.null(),
]);
const recordSchema = z.strictObject({
  base: z.string().regex(/^[0-9a-f]{64}$/),
  nodes: z.record(z.string(), nodeSchema),
});

type Plain = z.infer<typeof nodeSchema>;

/** A record as text, equal for equal answers; undefined where it is too large to be carried along. */
export function formatRecord({ base, nodes }: BaseRecord): string | undefined {
  const plain = Object.fromEntries([...nodes].map(([path, node]) => [`/${path}`, plainNode(node)]));
  const text = canonicalJson({ base, nodes: plain });
  return text.length > RECORD_LIMIT ? undefined : text;
}

/** The record in a text; undefined where it is none. */
export function parseRecord(text: string): BaseRecord | undefined {
  if (text.length > RECORD_LIMIT) return undefined;
  // Whatever else it is, the base can be read instead.
  const record = tryDecodeJson(text, recordSchema);
  if (!record) return undefined;
  const nodes = Object.entries(record.nodes).map(([path, node]) => [path.slice(1), readNode(node)] as const);
  return { base: record.base, nodes: new Map(nodes) };
}

function plainNode(node: BaseNode | undefined): Json {
  if (!node) return null;
  if (node.type === 'symlink') return ['l', node.target];
  if (node.type === 'directory') {
    return ['d', [node.mode, node.uid, node.gid, node.mtime], [...node.folders].sort()];
  }
  if (!node.accounts) return ['f'];
  const { mode, uid, gid, mtime, text } = node.accounts;
  return ['f', [mode, uid, gid, mtime], text ?? null];
}

function readNode(node: Plain): BaseNode | undefined {
  if (node === null) return undefined;
  if (node[0] === 'l') return { type: 'symlink', target: node[1] };
  if (node.length === 1) return { type: 'file' };
  const [mode, uid, gid, mtime] = node[1];
  if (node[0] === 'd') return { type: 'directory', mode, uid, gid, mtime, folders: new Set(node[2]) };
  return { type: 'file', accounts: { mode, uid, gid, mtime, text: node[2] ?? undefined } };
}

/** Thrown by a remembered view that was asked what it does not know. */
export class NotRemembered extends Error {
  override readonly name = 'NotRemembered';
}

/** A view that knows only what records of the same base say. Throws NotRemembered for everything else. */
export function rememberedView(name: string, records: readonly BaseRecord[]): BaseView {
  const known = new Map(records.flatMap(({ nodes }) => [...nodes]));
  return {
    name,
    node: (path) => {
      if (!known.has(path)) throw new NotRemembered(path);
      return known.get(path);
    },
  };
}
