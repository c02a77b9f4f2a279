import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { StorePathInfo } from '../definition/closure.ts';
import { isStorePath } from '../definition/store-path.ts';
import { toSri } from './nar-hash.ts';

/**
 * What `nix path-info --json` prints, in all its forms: a list (2.8, Lix), an object by full path (2.26, and
 * `--json-format 1`), and an object of objects by base name (`--json-format 2`).
 */

const hashSchema = z.union([
  z.string(),
  z.object({ algorithm: z.literal('sha256'), hash: z.string() }).transform(({ hash }) => `sha256:${hash}`),
]);

const infoSchema = z.looseObject({
  narHash: hashSchema,
  narSize: z.int().nonnegative(),
  references: z.array(z.string()),
  deriver: z.string().nullish(),
  ultimate: z.boolean().nullish(),
  registrationTime: z.number().nullish(),
});

/** What a store knows of one of its paths, beside what everybody who has the path would say. */
export interface StoredPath extends StorePathInfo {
  /** The derivation that it was made from, where that is known. */
  readonly deriver: string | undefined;
  /** Whether it was built in this store, rather than taken from another one. */
  readonly isBuilt: boolean;
  /** When it came into the store, in seconds since 1970. */
  readonly registered?: number | undefined;
}

const absentSchema = z.union([z.null(), z.looseObject({ valid: z.literal(false) })]);

const entrySchema = z.union([absentSchema, infoSchema]);
const listSchema = z.array(z.looseObject({ path: z.string() }));
const baseNameSchema = z.object({ info: z.record(z.string(), z.unknown()), storeDir: z.string(), version: z.int() });
const objectSchema = z.record(z.string(), z.unknown());

const strange = (why: string, cause?: unknown): UserError =>
  new UserError('evaluation', `nix path-info printed unexpected output: ${why}`, {
    hint: 'This version of Nix may be newer than what is supported.',
    cause,
  });

function entriesOf(json: unknown): readonly (readonly [string, unknown])[] {
  const list = listSchema.safeParse(json);
  if (list.success) return list.data.map((entry) => [entry.path, entry] as const);
  const byBaseName = baseNameSchema.safeParse(json);
  if (byBaseName.success) return Object.entries(byBaseName.data.info);
  const byPath = objectSchema.safeParse(json);
  if (byPath.success) return Object.entries(byPath.data);
  throw strange('neither a list nor an object');
}

function fullPath(text: string): string {
  const path = text.startsWith('/') ? text : `/nix/store/${text}`;
  if (!isStorePath(path)) throw strange(`${JSON.stringify(text.slice(0, 300))} is not a store path of /nix/store`);
  return path;
}

function storedOf(path: string, entry: unknown): StoredPath | null {
  const parsed = entrySchema.safeParse(entry);
  if (!parsed.success) throw strange(path, parsed.error);
  const absent = absentSchema.safeParse(parsed.data);
  if (absent.success) return null;
  const { narHash, narSize, references, deriver, ultimate, registrationTime } = infoSchema.parse(entry);
  const sri = toSri(narHash);
  if (sri === undefined) throw strange(`${path} has the NAR hash ${JSON.stringify(narHash)}`);
  return {
    path,
    narHash: sri,
    narSize,
    references: references.map(fullPath).sort(),
    deriver: deriver ? fullPath(deriver) : undefined,
    isBuilt: ultimate === true,
    registered: registrationTime ?? undefined,
  };
}

function withoutStore(stored: StoredPath | null): StorePathInfo | null {
  if (stored === null) return null;
  const { path, narHash, narSize, references } = stored;
  return { path, narHash, narSize, references };
}

/**
 * Reads the output of `nix path-info --json`: what is known of each path, null where the store does not have it.
 * Throws UserError `evaluation` on anything else.
 */
export const parsePathInfo = (output: string): ReadonlyMap<string, StorePathInfo | null> =>
  new Map([...parseStoredPaths(output)].map(([path, stored]) => [path, withoutStore(stored)]));

/** The same with what only the store itself knows. */
export function parseStoredPaths(output: string): ReadonlyMap<string, StoredPath | null> {
  const json = tryDecodeJson(output, z.unknown());
  if (json === undefined) throw strange(output.slice(0, 200));
  return new Map(
    entriesOf(json).map(([name, entry]) => {
      const path = fullPath(name);
      return [path, storedOf(path, entry)] as const;
    }),
  );
}
