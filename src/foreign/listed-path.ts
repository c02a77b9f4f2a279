import { z } from 'zod';
import type { ByteString } from '../image/bytes.ts';
import { belowStorePathSchema } from '../image/store-path.ts';
import { UserError } from '../io/error.ts';

/** Patterns longer than this are no patterns for paths, in characters. */
const PATTERN_LIMIT = 4096;

const patternSchema = z.string().max(PATTERN_LIMIT);

const modeSchema = z
  .string()
  .regex(/^[0-7]{0,5}$/, 'expected an octal mode such as 0644')
  .default('');

// Strict, as all of the list: a field that is not known here changes what is in the layer.
const permissionSchema = z.strictObject({
  regex: patternSchema,
  mode: modeSchema,
  /** Bits that are added to the mode, after `mode` was set. */
  orMode: modeSchema,
  uid: z.int().nonnegative().default(0),
  gid: z.int().nonnegative().default(0),
  uname: z.string().default(''),
  gname: z.string().default(''),
});

/** A path of a layer as nix2container lists it (its `types.Path`). */
export const listedPathSchema = z.strictObject({
  path: belowStorePathSchema,
  options: z
    .strictObject({
      rewrite: z.strictObject({ regex: patternSchema, repl: z.string() }).nullish(),
      perms: z.array(permissionSchema).nullish(),
    })
    .nullish(),
});

/** Modes and owners for the files whose path on this machine fits a pattern. */
export interface Permission {
  matches(source: ByteString): boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode?: number;
  /** Bits to add to the mode that the file has by then. */
  readonly orMode: number;
  readonly uname?: string;
  readonly gname?: string;
}

/** A store path of a layer, and what becomes of the names and modes of what is in it. */
export interface ListedPath {
  readonly path: string;
  /** The name in the layer of a path on this machine; empty for what gets none. */
  rewrite(source: ByteString): ByteString;
  readonly permissions: readonly Permission[];
}

/** Go and JavaScript agree on all that such patterns hold in earnest: anchors, classes, repetition. */
const pattern = (regex: string, flags = ''): RegExp => {
  try {
    return new RegExp(regex, flags);
  } catch (cause) {
    throw new UserError('file', `the image's list of layers has the pattern ${JSON.stringify(regex)}, which is none`, {
      hint: 'Check the `regex` of its perms.',
      cause,
    });
  }
};

/** Go's `$1`, `${1}` and `$$` in a replacement; a group that is not there is empty. */
const expand = (replacement: string, groups: readonly (string | undefined)[]): string =>
  replacement.replace(/\$(?:\$|(\d+)|\{(\d+)\})/g, (whole, plain?: string, braced?: string) =>
    whole === '$$' ? '$' : (groups[Number(plain ?? braced)] ?? ''),
  );

const rewriter = (regex: string, replacement: string): ListedPath['rewrite'] => {
  const found = pattern(regex, 'g');
  return (source) => source.replace(found, (...groups: string[]) => expand(replacement, groups));
};

const permission = ({ regex, mode, orMode, uid, gid, uname, gname }: z.infer<typeof permissionSchema>): Permission => {
  const found = pattern(regex);
  return {
    matches: (source) => found.test(source),
    uid,
    gid,
    ...(mode === '' ? {} : { mode: Number.parseInt(mode, 8) }),
    orMode: orMode === '' ? 0 : Number.parseInt(orMode, 8),
    ...(uname === '' ? {} : { uname }),
    ...(gname === '' ? {} : { gname }),
  };
};

/** Throws UserError `file` for a pattern that is none. */
export const listedPath = ({ path, options }: z.infer<typeof listedPathSchema>): ListedPath => ({
  path,
  rewrite: options?.rewrite?.regex ? rewriter(options.rewrite.regex, options.rewrite.repl) : (source) => source,
  permissions: (options?.perms ?? []).map(permission),
});
