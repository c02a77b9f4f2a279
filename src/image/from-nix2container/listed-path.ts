import { z } from 'zod';
import type { ByteString } from '../../core/bytes.ts';
import { UserError } from '../../core/error.ts';
import { withinTime } from '../../core/time-limit.ts';
import { belowStorePathSchema } from '../../definition/store-path-schema.ts';

/** Patterns longer than this are not patterns for paths, in characters. */
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
  /** Whether names or permissions depend on patterns. */
  readonly hasPatterns: boolean;
  /** The name in the layer of a path on this machine; empty for what gets none. */
  rewrite(source: ByteString): ByteString;
  readonly permissions: readonly Permission[];
}

/** Syntax of Go (RE2) that JavaScript does not have, or reads as something else silently. */
const ONLY_GO = /\\[AzQECa]|\\[pP](?!\{)|\[\[:|\(\?(?:P<|[imsU-]+[:)])/;

const unusable = (regex: string, why: string, cause?: unknown): UserError =>
  new UserError('file', `the image's list of layers has the pattern ${JSON.stringify(regex)}, ${why}`, {
    hint: 'Check the `regex` of its perms and rewrites.',
    cause,
  });

/** Go and JavaScript agree on what such patterns hold mostly: anchors, classes, repetition. The rest is refused. */
function pattern(regex: string, flags = ''): RegExp {
  if (ONLY_GO.test(regex))
    throw unusable(regex, 'whose syntax is known to Go alone: write it without flags and named classes');
  try {
    return new RegExp(regex, flags);
  } catch (cause) {
    throw unusable(regex, 'which is not a regular expression', cause);
  }
}

/** Milliseconds that all patterns of one layer may take. Half a million files and ten patterns take less than two seconds. */
const MATCH_TIME = 10_000;

/** Runs what applies the patterns of a layer's paths, of which all together have `MATCH_TIME`. */
export interface Matcher {
  /** Throws UserError `file` naming the path when the time is over: Go's patterns end in any case, JavaScript's may not. */
  run<T>(path: ListedPath, work: () => T): T;
}

/** `limit` in milliseconds. */
export function createMatcher(limit = MATCH_TIME): Matcher {
  let left = limit;
  return {
    run: (path, work) => {
      if (!path.hasPatterns) return work();
      const started = performance.now();
      const done = withinTime(Math.max(1, Math.ceil(left)), work);
      left -= performance.now() - started;
      if (done) return done.value;
      throw new UserError('file', `the patterns for ${path.path} found no end within ${limit / 1000} s`, {
        hint: 'Write the `regex` of its perms and rewrites without repetitions of repetitions, such as (a+)+.',
      });
    },
  };
}

/** Go's `$1`, `${1}` and `$$` in a replacement; a group that is not there is empty. */
const expand = (replacement: string, groups: readonly (string | undefined)[]): string =>
  replacement.replace(/\$(?:\$|(\d+)|\{(\d+)\})/g, (whole, plain?: string, braced?: string) =>
    whole === '$$' ? '$' : (groups[Number(plain ?? braced)] ?? ''),
  );

function rewriter(regex: string, replacement: string): ListedPath['rewrite'] {
  const found = pattern(regex, 'g');
  return (source) => source.replace(found, (...groups: string[]) => expand(replacement, groups));
}

function permission({ regex, mode, orMode, uid, gid, uname, gname }: z.infer<typeof permissionSchema>): Permission {
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
}

/** Throws UserError `file` for a pattern that is none. */
export const listedPath = ({ path, options }: z.infer<typeof listedPathSchema>): ListedPath => ({
  path,
  hasPatterns: Boolean(options?.rewrite?.regex || options?.perms?.length),
  rewrite: options?.rewrite?.regex ? rewriter(options.rewrite.regex, options.rewrite.repl) : (source) => source,
  permissions: (options?.perms ?? []).map(permission),
});
