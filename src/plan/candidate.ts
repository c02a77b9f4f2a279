import { imageNameSchema } from '../image/definition.ts';
import { definitionKey, foreignKey } from '../image/image-key.ts';
import { isSystem, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { parseDefinition } from '../nix/answer.ts';
import { type Discovered, placeText } from '../nix/discover.ts';
import { DISCOVERY_OUTPUTS } from '../nix/discovery-expression.ts';
import { legalName, parseForeign } from '../nix/foreign.ts';
import type { ImageKind } from '../nix/recognise.ts';
import type { LeftOut, PlannedJob } from './plan.ts';

/** An attribute that is an image for one system, before it is known which of one name's is taken. */
export interface Candidate {
  readonly name: string;
  readonly tag: string | null;
  readonly job: PlannedJob;
  /** Of several outputs that have the name, the lowest goes first. */
  readonly rank: number;
  readonly why: string;
}

export type Judged = { readonly candidate: Candidate } | { readonly leftOut: LeftOut } | undefined;

/** Whether the names of an attribute pass the person's filter. */
export type Passes = (spellings: readonly string[]) => boolean;

const WHY: Readonly<Record<ImageKind, string>> = {
  definition: 'is an image definition',
  archive: 'looks like an archive of dockerTools or of an OCI layout',
  stream: "looks like dockerTools' script that prints an image",
  nix2container: 'looks like an image of nix2container',
  disk: 'is a disk image: it is listed, and not published to a registry',
};

/** The attribute with `<system>` in the system's place, for both systems have one reason. */
const pattern = (entry: Discovered, system: System): string => placeText(entry).replace(system, '<system>');

const rankOf = ({ path: [output = ''] }: Discovered): number =>
  (DISCOVERY_OUTPUTS as readonly string[]).indexOf(output);

/** The part of a path that people call the image by; a variant of a NixOS configuration bears both names. */
const leafOf = ({ path }: Discovered): string =>
  path[0] === 'nixosConfigurations' ? `${path[1]}-${path.at(-1)}` : (path.at(-1) ?? '');

const leave = (entry: Discovered, why: string, broken = true): Judged => ({
  leftOut: { attr: placeText(entry), why, broken },
});

const checkName = (entry: Discovered, name: string): void => {
  if (imageNameSchema.safeParse(name).success) return;
  throw new UserError(
    'definition',
    `${placeText(entry)} has the name ${JSON.stringify(name)}, which no registry takes`,
    {
      hint: `name it ${legalName(name)}: lower-case letters and digits, with . _ - / between them`,
      docs: 'definition.md',
    },
  );
};

const nameIn = (definition: unknown): string =>
  typeof definition === 'object' && definition !== null && 'name' in definition ? String(definition.name) : '';

type Of<K extends Discovered['kind']> = Extract<Discovered, { kind: K }>;

function judgeDefinition(entry: Of<'definition'>, system: System, isFile: boolean, passes: Passes): Judged {
  const name = nameIn(entry.definition);
  if (!passes([name, leafOf(entry), placeText(entry)])) return undefined;
  checkName(entry, name);
  try {
    const definition = parseDefinition(placeText(entry), entry.definition);
    if (definition.system !== null && definition.system !== system) {
      return isFile ? undefined : leave(entry, `stands under ${system} but holds programs of ${definition.system}`);
    }
    const key = definitionKey(definition, system);
    const job: PlannedJob = { system, kind: 'definition', attr: attrOf(entry), key, published: null };
    const why = `${pattern(entry, system)} ${WHY.definition}`;
    return { candidate: { name, tag: definition.tag, job, rank: rankOf(entry), why } };
  } catch (error) {
    if (error instanceof UserError) return leave(entry, error.message);
    throw error;
  }
}

const attrOf = (entry: Discovered): string => (entry.path.length === 0 ? '' : placeText(entry));

/** `imageName` of dockerTools mostly bears the registry; docker's rule tells it from the first part of a name. */
const withoutRegistry = (name: string): string => name.replace(/^(?:localhost|[^/]*[.:][^/]*)\//, '');

function judgeImage(entry: Of<'image'>, system: System, isFile: boolean, passes: Passes): Judged {
  const { image } = entry;
  const leaf = leafOf(entry);
  if (!passes([withoutRegistry(image.name ?? leaf), leaf, placeText(entry)])) return undefined;
  if (isFile && image.system !== null && image.system !== system) return undefined;
  const why = `${pattern(entry, system)} ${WHY[image.kind]}`;
  const rank = rankOf(entry);
  const attr = attrOf(entry);
  if (image.kind === 'disk') {
    const name = legalName(image.name ?? leaf);
    const key = foreignKey({ kind: 'disk', outPath: image.path }, system);
    return { candidate: { name, tag: null, job: { system, kind: 'disk', attr, key, published: null }, rank, why } };
  }
  const { kind, name, tag, outPath } = parseForeign(placeText(entry), { ...image, kind: image.kind }, leaf);
  const job: PlannedJob = { system, kind, attr, key: foreignKey({ kind, outPath }, system), published: null };
  return { candidate: { name, tag, job, rank, why } };
}

/** Which system a find is for: the one in its path, or that of its builder in NixOS configurations. */
const systemOf = (entry: Discovered): string => {
  if (entry.system !== null) return entry.system;
  if (entry.path[0] !== 'nixosConfigurations') return entry.path[1] ?? '';
  return (entry.kind === 'image' && entry.image.system) || '';
};

/**
 * What a find is in a plan: a candidate, left out with its reason, or nothing that concerns it. Throws UserError
 * `definition` for a name that no registry takes.
 */
export function judge(entry: Discovered, isFile: boolean, systems: readonly System[], passes: Passes): Judged {
  const system = systemOf(entry);
  if (isSystem(system) && !systems.includes(system)) return undefined;
  if (entry.kind === 'broken') {
    return passes([leafOf(entry), placeText(entry)]) ? leave(entry, entry.message) : undefined;
  }
  if (entry.kind === 'other') {
    return passes([leafOf(entry), placeText(entry)]) ? leave(entry, `is a ${entry.type}, no image`) : undefined;
  }
  if (entry.kind === 'system' || !isSystem(system))
    return leave(entry, `images are not built for ${system || 'it'}`, false);
  if (entry.kind === 'definition') return judgeDefinition(entry, system, isFile, passes);
  return judgeImage(entry, system, isFile, passes);
}
