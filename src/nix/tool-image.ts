import { UserError } from '../core/error.ts';
import { imageNameSchema, tagSchema } from '../definition/definition.ts';
import { isStorePath } from '../definition/store-path.ts';
import type { OwnSystems } from './cross.ts';
import type { ToolImageAnswer, ToolImageKind } from './recognise.ts';

/** An image of another maker, as its derivation tells of it; nothing is built yet. */
export interface ToolImage {
  readonly kind: ToolImageKind;
  /** Repository name, without registry. */
  readonly name: string;
  /** The registry that stood before the name; where an image goes is said by the destination alone. */
  readonly registry: string | null;
  readonly tag: string | null;
  readonly drvPath: string;
  readonly output: string;
  readonly outPath: string;
  /** The system that builds it; cross-compiled images are for another one. */
  readonly system: string | null;
  /** The system that it runs on; null where its derivation does not say. */
  readonly hostSystem: string | null;
}

/**
 * What an image says about its systems. In a flake an image that says nothing is of the system that it is listed under; a
 * file says no system, so there it is of the one that builds it.
 */
export const toolImageSystems = (
  { system, hostSystem }: Pick<ToolImage, 'system' | 'hostSystem'>,
  isFile: boolean,
): OwnSystems => ({ runsOn: hostSystem ?? (isFile ? system : null), builtOn: system });

/** Docker's rule: a first part is a registry only if it cannot be part of a repository name. */
const isRegistry = (part: string): boolean => part === 'localhost' || /[.:]/.test(part);

function split(name: string): { readonly registry: string | null; readonly name: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  return isRegistry(first) ? { registry: first, name: name.slice(slash + 1) } : { registry: null, name };
}

/** A legal name near to `name`: what a person most likely wants instead. */
export const validName = (name: string): string =>
  name
    .toLowerCase()
    .split('/')
    .map((part) => part.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, ''))
    .filter((part) => part !== '')
    .join('/') || 'app';

function checkName(what: string, name: string): string {
  if (imageNameSchema.safeParse(name).success) return name;
  throw new UserError(
    'definition',
    `${what} has the name ${JSON.stringify(name)}, which is not a valid repository name`,
    {
      hint: `Name it ${validName(name)}: lower-case letters and digits, with . _ - / between them.`,
    },
  );
}

function checkTag(what: string, tag: string | null): string | null {
  if (tag === null || tagSchema.safeParse(tag).success) return tag;
  throw new UserError(
    'definition',
    `${what} has the tag ${JSON.stringify(tag)}, which is not a valid repository name`,
    {
      hint: 'A tag has at most 128 letters, digits, . _ - and starts with a letter, a digit or _.',
    },
  );
}

/** Throws UserError `evaluation` for a derivation whose output is not known before it is built. */
export function checkBuilt(what: string, { path, drvPath }: Pick<ToolImageAnswer, 'path' | 'drvPath'>): void {
  if (isStorePath(path) && isStorePath(drvPath)) return;
  throw new UserError('evaluation', `${what}: its output ${JSON.stringify(path)} is not known before it is built`, {
    hint: 'Content-addressed derivations cannot be published: set __contentAddressed = false.',
  });
}

/**
 * Accepts what an evaluation says of an image. `what` names it in messages, `attribute` gives the name where the
 * derivation has none. Throws UserError `definition` for a name or tag that no registry takes, `evaluation` for a path
 * that is none.
 */
export function parseToolImage(what: string, answer: ToolImageAnswer, attribute: string): ToolImage {
  const { path: outPath, drvPath, ...rest } = answer;
  checkBuilt(what, answer);
  const { registry, name } = split(answer.name ?? attribute.toLowerCase());
  return { ...rest, name: checkName(what, name), registry, tag: checkTag(what, answer.tag), drvPath, outPath };
}
