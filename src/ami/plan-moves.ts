import type { Cloud } from '../aws/cloud.ts';
import type { ParameterRecord } from '../aws/ssm-api.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { System } from '../oci/system.ts';
import { parameterName } from './content.ts';
import type { PointerMove } from './move-pointers.ts';
import { pointerHistory, pointerRecord, versionBefore } from './pointer-history.ts';
import { type PublishedAmi, publishedAmis } from './published.ts';
import { isShared, missingSharing, NOBODY, whoMayUse } from './sharing.ts';
import { REGIONS_AT_ONCE } from './survey.ts';

/** @internal What is promoted. */
export interface PromotionAsked {
  readonly image: string;
  /** Undefined for a rollback: what the parameters pointed to before. */
  readonly version: string | undefined;
  /** Names of parameters, with `{image}`, `{system}` and `{arch}`. */
  readonly templates: readonly string[];
  /** Empty for all that the version is published for. */
  readonly systems: readonly System[];
  readonly regions: readonly string[];
  /** Whether each of the regions must have the AMIs, or only those in which there is any of it or of the parameters. */
  readonly isEveryRegion: boolean;
  /** Whether parameters that do not exist are made. */
  readonly mayCreate: boolean;
  /** Whether who may use what is pointed to now may be left out. */
  readonly mayUnshare: boolean;
}

/** A parameter in a region, and where it is to point. */
export interface PlannedMove extends PointerMove {
  readonly system: System;
  readonly version: string;
  /** Whether it points there already. */
  readonly isSame: boolean;
}

interface Pointer {
  readonly region: string;
  readonly system: System;
  readonly name: string;
  readonly now: ParameterRecord | undefined;
}

/**
 * What is to move where, everything checked before anything moves: the version is there in every region, can be launched, and those who may use what
 * is pointed to now may use it. Throws UserError `input` that names every region that is not ready.
 */
export async function planMoves(cloud: Cloud, asked: PromotionAsked): Promise<PlannedMove[]> {
  const amis = await publishedAmis(cloud, asked.regions, asked.image);
  if (amis.length === 0)
    throw new UserError('input', `cannot find published AMIs of ${asked.image} in ${asked.regions.join(', ')}`, {
      hint: 'Check the name of the image, the regions, and the account.',
    });
  const systems = systemsOf(amis, asked);
  const pointers = await pointersOf(cloud, asked, systems);
  const back = asked.version === undefined ? await versionsBefore(cloud, asked, pointers) : undefined;
  const problems: string[] = [];
  const planned = await mapParallel(pointers, REGIONS_AT_ONCE, async (pointer): Promise<PlannedMove[]> => {
    const target = back?.get(keyOf(pointer));
    const version = asked.version ?? target?.version ?? '';
    const found = amis.filter((ami) => ami.region === pointer.region && ami.system === pointer.system);
    const ami = found.find((one) => one.version === version);
    if (ami === undefined && pointer.now === undefined && !asked.isEveryRegion && found.length === 0) return [];
    const own = await problemsOf(cloud, pointer, ami, { asked, version });
    problems.push(...own.map((text) => `  ${pointer.region}: ${text}`));
    if (ami === undefined) return [];
    const before = amis.find((one) => one.region === pointer.region && one.ami.id === pointer.now?.value)?.version;
    return [
      {
        ...{ region: pointer.region, name: pointer.name, system: pointer.system, version, before: pointer.now },
        amiId: ami.ami.id,
        isSame: pointer.now?.value === ami.ami.id,
        description: pointerRecord(version, target === undefined ? before : target.before),
      },
    ];
  });
  if (problems.length > 0)
    throw new UserError('input', `cannot promote, and nothing was moved:\n${problems.sort().join('\n')}`, {
      hint: 'Deploy the version to these regions first, or name the regions that are meant. To make parameters, use --new-parameter.',
      docs: 'ami-lifecycle.md#channels',
    });
  const moves = planned.flat();
  // Regions that have nothing of it are passed over, and these may be all.
  if (moves.length === 0) throw noVersion(amis, systems, asked);
  return moves;
}

function noVersion(
  amis: readonly PublishedAmi[],
  systems: readonly System[],
  { version, image }: PromotionAsked,
): UserError {
  const of = systems.length > 0 ? ` for ${systems.join(' or ')}` : '';
  const what = version === undefined ? 'a version' : `version ${version}`;
  const versions = [...new Set(amis.map((one) => `${one.version} for ${one.system}`))];
  return new UserError('input', `cannot find ${what} of ${image}${of} in any of the regions`, {
    hint: `There are ${versions.slice(0, 10).join(', ')}.`,
  });
}

const keyOf = ({ system, name }: Pointer): string => `${system} ${name}`;

/** Those of the version, and of a rollback those that there are AMIs for. Throws UserError `input` for names that systems would share. */
function systemsOf(amis: readonly PublishedAmi[], asked: PromotionAsked): System[] {
  const { version, systems, templates } = asked;
  const there = new Set(
    amis.filter((one) => version === undefined || one.version === version).map((one) => one.system),
  );
  const wanted = systems.length > 0 ? [...systems] : [...there].sort();
  if (wanted.length === 0) throw noVersion(amis, [], asked);
  const shared = templates.find((template) => !/\{(?:system|arch)\}/.test(template));
  if (shared !== undefined && wanted.length > 1)
    throw new UserError('input', `${shared} would be the parameter of ${wanted.join(' and of ')}`, {
      hint: 'Put {arch} or {system} into its name, or name one system.',
    });
  return wanted;
}

async function pointersOf(cloud: Cloud, { templates, image, regions }: PromotionAsked, systems: readonly System[]) {
  const names = systems.flatMap((system) =>
    templates.map((template) => ({ system, name: parameterName(template, { image, system, version: '' }, '') })),
  );
  const found = await mapParallel(regions, REGIONS_AT_ONCE, async (region) => {
    const stored = await cloud.ssm(region).parameters(names.map(({ name }) => name));
    return names.map((one): Pointer => ({ ...one, region, now: stored.get(one.name) }));
  });
  return found.flat();
}

/** Where a rollback leads: as the first region that has the parameter says, for versions are the same in all. */
async function versionsBefore(cloud: Cloud, { regions }: PromotionAsked, pointers: readonly Pointer[]) {
  const found = new Map<string, { readonly version: string; readonly before: string | undefined }>();
  for (const [key, all] of Map.groupBy(pointers, keyOf)) {
    const first = all.find(({ now }) => now !== undefined);
    if (first === undefined) continue;
    const target = versionBefore(await pointerHistory(cloud, first.region, first.name));
    if (target === undefined)
      throw new UserError('input', `${first.name} in ${first.region} has nothing to roll back to`, {
        hint: 'Its history has no other version that is still available. Name one with --ami-version.',
        docs: 'ami-lifecycle.md#channels',
      });
    found.set(key, target);
  }
  if (found.size === 0)
    throw new UserError('input', `none of the parameters exists in ${regions.join(', ')}`, {
      hint: 'Check their names.',
    });
  return found;
}

interface Wanting {
  readonly asked: PromotionAsked;
  readonly version: string;
}

async function problemsOf(
  cloud: Cloud,
  { region, name, system, now }: Pointer,
  target: PublishedAmi | undefined,
  { asked, version }: Wanting,
): Promise<string[]> {
  if (target === undefined) return [`missing version ${version} of ${asked.image} for ${system}`];
  const { ami } = target;
  if (ami.state !== 'available') return [`${ami.id}, version ${version} for ${system}, is ${ami.state}`];
  if (now === undefined) return asked.mayCreate ? [] : [`the parameter ${name} does not exist`];
  if (now.dataType !== 'aws:ec2:image')
    return [`the parameter ${name} is of the type ${now.dataType}, which cannot be changed`];
  if (now.value === ami.id || asked.mayUnshare) return [];
  const ec2 = cloud.ec2(region);
  const [current] = await ec2.images({ ids: [now.value] });
  // What is pointed to may be gone, or not ours: then nobody is known to lose it.
  if (current?.state !== 'available') return [];
  const [before, after] = await Promise.all([ec2.imageSharing(current.id), ec2.imageSharing(ami.id)]);
  const lost = after.public ? NOBODY : missingSharing(before, after);
  return isShared(lost) ? [`${ami.id} may not be used by ${whoMayUse(lost)}, as what ${name} points to may`] : [];
}
