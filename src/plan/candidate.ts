import { UserError } from '../core/error.ts';
import { imageNameSchema } from '../definition/definition.ts';
import { diskKey } from '../definition/disk-key.ts';
import { diskRoomGiB } from '../definition/disk-room.ts';
import { definitionKey, toolImageKey } from '../definition/image-key.ts';
import { isDiskDefinition, parseDefinition, parseDiskDefinition } from '../nix/answer.ts';
import { imageSystems, type OwnSystems } from '../nix/cross.ts';
import { type Discovered, placeText } from '../nix/discover.ts';
import { DISCOVERY_OUTPUTS } from '../nix/discovery-expression.ts';
import { wayOut } from '../nix/failure.ts';
import { attributeText } from '../nix/installable.ts';
import type { ImageKind } from '../nix/recognise.ts';
import { diskName, leafName } from '../nix/tool-disk.ts';
import { parseToolImage, toolImageSystems, validName } from '../nix/tool-image.ts';
import { isSystem, type System } from '../oci/system.ts';
import type { LeftOut, PlannedJob, Problem } from './plan.ts';

/** An attribute that is an image for one system, before it is known which of one name's is taken. */
export interface Candidate {
  readonly name: string;
  readonly tag: string | null;
  readonly job: PlannedJob;
  /** The attribute with `<system>` in its system's place: that of other systems is the same. */
  readonly pattern: string;
  /** Of several outputs that have the name, the lowest goes first. */
  readonly rank: number;
  readonly why: string;
}

/** What is left out, and for an attribute that is broken where the images for other systems would be. */
export interface Rejected {
  readonly leftOut: LeftOut;
  readonly pattern: string;
  readonly system: string;
}

type Classified = { readonly candidate: Candidate } | Rejected | { readonly problem: Problem } | undefined;

/** Whether the names of an attribute pass the person's filter. */
type Passes = (spellings: readonly string[]) => boolean;

const WHY: Readonly<Record<ImageKind, string>> = {
  definition: 'is an image definition',
  archive: 'looks like an archive of dockerTools or of an OCI layout',
  stream: "looks like dockerTools' script that prints an image",
  nix2container: 'looks like an image of nix2container',
  disk: 'is a disk image',
};

/** The attribute with `<system>` in the system's place, for both systems have one reason. */
const pattern = (entry: Discovered, system: string): string =>
  attributeText(entry.path.map((part) => (part === system ? '<system>' : part))).replace('"<system>"', '<system>') ||
  placeText(entry);

const rankOf = ({ path: [output = ''] }: Discovered): number =>
  (DISCOVERY_OUTPUTS as readonly string[]).indexOf(output);

const leafOf = ({ path }: Discovered): string => leafName(path);

const reject = (entry: Discovered, why: string, { broken = true, image = true } = {}): Rejected => ({
  leftOut: { attr: placeText(entry), why, broken, image },
  pattern: pattern(entry, systemOf(entry)),
  system: systemOf(entry),
});

const invalidName = (entry: Discovered, name: string): Classified => ({
  problem: {
    name,
    why: `${placeText(entry)} has the name ${JSON.stringify(name)}, which is not a valid repository name`,
    hint: `Name it ${validName(name)}: lower-case letters and digits, with . _ - / between them.`,
  },
});

const isLegalName = (name: string): boolean => imageNameSchema.safeParse(name).success;

const nameIn = (definition: unknown): string =>
  typeof definition === 'object' && definition !== null && 'name' in definition ? String(definition.name) : '';

type Of<K extends Discovered['kind']> = Extract<Discovered, { kind: K }>;

/** Under which system an attribute is listed, and for whom it is wanted. */
interface Context {
  readonly listedUnder: System;
  readonly isFile: boolean;
  readonly systems: readonly System[];
  readonly passes: Passes;
}

/** A candidate, once it is known what runs and builds it. */
function candidateOf(
  entry: Discovered,
  own: OwnSystems,
  { listedUnder, isFile, systems }: Context,
  found: {
    readonly name: string;
    readonly tag: string | null;
    readonly kind: ImageKind;
    readonly keyFor: (system: System) => string;
    /** Whether its tests boot it. */
    readonly boots?: boolean;
    /** Of a disk: see `diskRoomGiB`. */
    readonly diskSpace?: number;
  },
): Classified {
  // A file is evaluated once for each system, and what it holds need not depend on that.
  if (isFile && own.runsOn !== null && own.runsOn !== listedUnder) return undefined;
  const its = imageSystems(listedUnder, own);
  if (typeof its === 'string') return reject(entry, its);
  if (!systems.includes(its.system)) return undefined;
  const { name, tag, kind, keyFor, boots = false, diskSpace } = found;
  const made = { ...its, kind, attr: attrOf(entry), key: keyFor(its.system), published: null };
  const job: PlannedJob = {
    ...made,
    ...(diskSpace === undefined ? {} : { diskSpace }),
    ...(boots ? { boots } : {}),
  };
  const cross = its.buildSystem === null ? '' : `, cross-compiled on ${its.buildSystem}`;
  const why = `${pattern(entry, listedUnder)} ${WHY[kind]}${cross}`;
  return { candidate: { name, tag, job, pattern: pattern(entry, listedUnder), rank: rankOf(entry), why } };
}

function classifyDefinition(entry: Of<'definition'>, context: Context): Classified {
  const name = nameIn(entry.definition);
  if (!context.passes([name, leafOf(entry), placeText(entry)])) return undefined;
  if (!isLegalName(name)) return invalidName(entry, name);
  if (isDiskDefinition(entry.definition)) return classifyDisk(entry, context, name);
  const definition = parseDefinition(placeText(entry), entry.definition);
  const own = { runsOn: definition.system, builtOn: definition.buildSystem };
  const keyFor = (system: System): string => definitionKey(definition, system);
  return candidateOf(entry, own, context, { name, tag: definition.tag, kind: 'definition', keyFor });
}

function classifyDisk(entry: Of<'definition'>, context: Context, name: string): Classified {
  const disk = parseDiskDefinition(placeText(entry), entry.definition);
  const own = { runsOn: disk.system, builtOn: disk.buildSystem };
  const boots = Object.keys(disk.tests).length > 0;
  const how = { keyFor: () => diskKey(disk), boots, diskSpace: diskRoomGiB(disk) };
  return candidateOf(entry, own, context, { name, tag: disk.tag, kind: 'disk', ...how });
}

const attrOf = (entry: Discovered): string => (entry.path.length === 0 ? '' : placeText(entry));

/** `imageName` of dockerTools mostly bears the registry; docker's rule tells it from the first part of a name. */
const withoutRegistry = (name: string): string => name.replace(/^(?:localhost|[^/]*[.:][^/]*)\//, '');

function classifyImage(entry: Of<'image'>, context: Context): Classified {
  const { image } = entry;
  const leaf = leafOf(entry);
  const name = image.kind === 'disk' ? diskName(image, entry.path) : withoutRegistry(image.name ?? leaf.toLowerCase());
  if (!context.passes([name, leaf, placeText(entry)])) return undefined;
  const own = toolImageSystems(image, context.isFile);
  if (image.kind === 'disk') {
    const keyFor = (system: System): string => toolImageKey({ kind: 'disk', outPath: image.path }, system);
    return candidateOf(entry, own, context, { name, tag: null, kind: 'disk', keyFor, diskSpace: diskRoomGiB() });
  }
  if (!isLegalName(name)) return invalidName(entry, name);
  const { kind, tag, outPath } = parseToolImage(placeText(entry), { ...image, kind: image.kind }, leaf);
  const keyFor = (system: System): string => toolImageKey({ kind, outPath }, system);
  return candidateOf(entry, own, context, { name, tag, kind, keyFor });
}

/** Which system a find is for: the one in its path, or that of its builder in NixOS configurations. */
function systemOf(entry: Discovered): string {
  if (entry.system !== null) return entry.system;
  if (entry.path[0] !== 'nixosConfigurations') return entry.path[1] ?? '';
  return (entry.kind === 'image' && entry.image.system) || '';
}

/**
 * What a find is in a plan: a candidate, left out with its reason, a problem, or nothing that concerns it.
 */
export function classify(entry: Discovered, isFile: boolean, systems: readonly System[], passes: Passes): Classified {
  const listedUnder = systemOf(entry);
  const names = [leafOf(entry), placeText(entry)];
  if (entry.kind === 'broken' || entry.kind === 'other') {
    if ((isSystem(listedUnder) && !systems.includes(listedUnder)) || !passes(names)) return undefined;
    if (entry.kind === 'other') return reject(entry, `is a ${entry.type}, not an image`);
    return reject(entry, withWayOut(entry.message), { image: entry.image });
  }
  if (entry.kind === 'system' || !isSystem(listedUnder)) {
    return reject(entry, `images are not built for ${listedUnder || 'it'}`, { broken: false, image: false });
  }
  const context: Context = { listedUnder, isFile, systems, passes };
  try {
    return entry.kind === 'definition' ? classifyDefinition(entry, context) : classifyImage(entry, context);
  } catch (error) {
    if (error instanceof UserError) return reject(entry, error.message);
    throw error;
  }
}

/** Nix's words and, where they do not say it, what to do. */
function withWayOut(message: string): string {
  const way = wayOut(message);
  return way === undefined ? message : `${message.split('\n')[0]}. ${way}`;
}
