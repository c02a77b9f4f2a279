import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { shellWord } from '../core/shell.ts';

/** What a lock file says of one input. */
export interface LockedInput {
  /** As a person names it: `nixpkgs`, or `app/nixpkgs` for an input of an input. */
  readonly name: string;
  /** Where it comes from, such as `github:NixOS/nixpkgs`. */
  readonly source: string;
  /** What tells one state of it from another: a commit, or the hash of its content. */
  readonly revision: string;
  /** Of its newest commit, in milliseconds since 1970; null where the lock does not say. */
  readonly modified: number | null;
  /** A release, where the pin follows releases. */
  readonly version: string | null;
}

/** A file that pins the inputs of images. */
export type LockKind = 'flake' | 'npins';

const lockedSchema = z.looseObject({
  type: z.string(),
  owner: z.string().optional(),
  repo: z.string().optional(),
  url: z.string().optional(),
  path: z.string().optional(),
  rev: z.string().optional(),
  narHash: z.string().optional(),
  lastModified: z.number().optional(),
});

const flakeSchema = z.looseObject({
  root: z.string(),
  nodes: z.record(
    z.string(),
    z.looseObject({
      inputs: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
      locked: lockedSchema.optional(),
    }),
  ),
});

const npinsSchema = z.looseObject({
  pins: z.record(
    z.string(),
    z.looseObject({
      type: z.string(),
      repository: z.looseObject({ owner: z.string().optional(), repo: z.string().optional() }).optional(),
      revision: z.string().nullish(),
      version: z.string().nullish(),
      hash: z.string().nullish(),
      url: z.string().nullish(),
    }),
  ),
});

/** The lines that git leaves in a file whose merge is not settled. */
const CONFLICT = /^(?:<{7}|>{7})(?: |$)/m;

/** Reads a lock file; an input that follows another one is not listed. Throws UserError `input` that names the file. */
export function readLock(kind: LockKind, text: string, file: string): LockedInput[] {
  if (CONFLICT.test(text)) {
    throw new UserError('input', `${file} has the marks of a merge that is not settled`, {
      hint: `Take one of the two sides (git checkout --ours -- ${shellWord(file)}), and update again.`,
    });
  }
  return kind === 'flake' ? flakeInputs(text, file) : npinsInputs(text, file);
}

function flakeInputs(text: string, file: string): LockedInput[] {
  const { nodes, root } = decodeJson(text, flakeSchema, { code: 'input', what: file });
  const found: LockedInput[] = [];
  const visit = (id: string, way: readonly string[], above: ReadonlySet<string>): void => {
    for (const [name, target] of Object.entries(nodes[id]?.inputs ?? {})) {
      // A list is the way to the input that this one follows; a node within itself would never end.
      if (typeof target !== 'string' || above.has(target)) continue;
      const path = [...way, name];
      const locked = nodes[target]?.locked;
      if (locked) found.push({ name: path.join('/'), ...flakeInput(locked) });
      visit(target, path, new Set([...above, target]));
    }
  };
  visit(root, [], new Set([root]));
  return found;
}

function flakeInput(locked: z.infer<typeof lockedSchema>): Omit<LockedInput, 'name'> {
  const { type, owner, repo, url, path, rev, narHash, lastModified } = locked;
  const place = owner !== undefined && repo !== undefined ? `${owner}/${repo}` : (url ?? path ?? '');
  return {
    source: place.includes('://') ? place : `${type}:${place}`,
    revision: rev ?? narHash ?? '',
    modified: lastModified === undefined ? null : lastModified * 1000,
    version: null,
  };
}

function npinsInputs(text: string, file: string): LockedInput[] {
  const { pins } = decodeJson(text, npinsSchema, { code: 'input', what: file });
  return Object.entries(pins).map(([name, { type, repository, revision, version, hash, url }]) => ({
    name,
    source:
      repository?.owner !== undefined && repository.repo !== undefined
        ? `github:${repository.owner}/${repository.repo}`
        : type.toLowerCase(),
    revision: revision ?? hash ?? url ?? '',
    modified: null,
    version: version ?? null,
  }));
}
