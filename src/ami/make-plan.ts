import type { AmiRecord, Sharing } from '../aws/ec2-api.ts';
import { UserError } from '../core/error.ts';
import { TAGS } from './content.ts';
import { DAY, deprecationOf } from './deprecation.ts';
import { estimateOf, total } from './estimate.ts';
import type { AmiPlan } from './plan.ts';
import { isShared, missingSharing, NOBODY, ofSnapshots } from './sharing.ts';
import type { Step, StepKind } from './step.ts';
import { type AmiPlace, isLive, type Survey } from './survey.ts';
import { homeOf, mayFail, regionsOf, type Wanted } from './wanted.ts';

const UNDO: Readonly<Record<StepKind, string>> = {
  remove: 'nothing: it was of no use',
  snapshot: 'delete the snapshot',
  register: 'deregister the AMI',
  copy: 'deregister the copy and delete its snapshot',
  wait: 'nothing',
  'smoke-test': 'terminate the instance',
  'snapshot-permission': 'take the permission back',
  'launch-permission': 'take the permission back',
  deprecate: 'deregister the AMI',
  parameter: 'store what it was before',
  tag: 'nothing: it is published by then',
  protect: 'nothing: it is published by then',
};

/** A step that has no needs yet. */
interface Draft {
  readonly kind: StepKind;
  readonly place: AmiPlace;
  readonly subject?: string;
  readonly isCopy?: boolean;
}

const idOf = ({ kind, place: { region, disk }, subject }: Draft): string =>
  [kind, region, disk.image, disk.system, ...(subject === undefined ? [] : [subject])].join(' ');

/**
 * From what exists to what is to be done. Pure: the same survey gives the same plan. Throws UserError `input` where names clash or what exists cannot
 * be gone on with, all of it at once.
 */
export function makePlan(survey: Survey, wanted: Wanted, now: number): AmiPlan {
  const places = survey.places.filter(({ region }) => !survey.unreached.has(region));
  refuseClashes(places, wanted);
  const steps: Step[] = [];
  const home = homeOf(wanted);
  const isRequired = ({ place: { region } }: Draft): boolean => !mayFail(wanted, region);
  const add = (draft: Draft, needs: readonly string[], isFinishing = false): string => {
    const { kind, place, subject, isCopy = false } = draft;
    const id = idOf(draft);
    steps.push({
      ...{ id, kind, subject, isFinishing, region: place.region },
      disk: wanted.disks.indexOf(place.disk),
      needs: [...new Set(needs)],
      mayFail: !isRequired(draft),
      undo: UNDO[kind],
      estimate: estimateOf(kind, place.disk, {
        isCopy,
        copyMinutes: wanted.copyMinutes,
        upload: wanted.upload,
        bytesToSend: place.parent?.bytesToSend,
      }),
    });
    return id;
  };

  /** Adds a stage: each step needs its own region's part of the stage before, and that of all regions that must not fail. */
  const stage = (drafts: readonly Draft[], before: Stage, isFinishing = false): Stage => {
    const ids = drafts.map((draft) => ({
      id: add(draft, [...before.required, ...(before.byRegion.get(draft.place.region) ?? [])], isFinishing),
      draft,
    }));
    const byRegion = new Map(before.byRegion);
    for (const { id, draft } of ids)
      byRegion.set(draft.place.region, [...(byRegion.get(draft.place.region) ?? []), id]);
    const required = ids.filter(({ draft }) => isRequired(draft)).map(({ id }) => id);
    // A stage without steps must not let what follows it overtake what was before it.
    return { required: required.length > 0 ? required : before.required, byRegion };
  };

  const ready = addMaking(places, { home, wanted, add });
  const shared = stage(
    places.flatMap((place) => permissionsFor(place, wanted)),
    ready,
  );
  const dated = stage(
    places.flatMap((place) => deprecationFor(place, wanted, now)),
    shared,
  );
  const pointed = stage(places.flatMap(pointersFor), dated);
  const published = stage(
    places.filter(({ found }) => !found?.ami.tags.has(TAGS.run)).map((place) => ({ kind: 'tag' as const, place })),
    pointed,
    true,
  );
  if (wanted.protection !== 'off')
    stage(
      places.filter(({ found }) => !found?.ami.isProtected).map((place) => ({ kind: 'protect' as const, place })),
      published,
      true,
    );
  return {
    version: 1,
    account: survey.account,
    home,
    wanted,
    places,
    steps,
    unreached: survey.unreached,
    total: total(steps),
  };
}

/** Steps that another stage waits for. */
interface Stage {
  readonly required: readonly string[];
  readonly byRegion: ReadonlyMap<string, readonly string[]>;
}

interface Making {
  readonly home: string;
  readonly wanted: Wanted;
  readonly add: (draft: Draft, needs: readonly string[]) => string;
}

/** Adds everything up to AMIs that are there and seen by nobody; gives what must have ended before anything is published. */
function addMaking(places: readonly AmiPlace[], { home, wanted, add }: Making): Stage {
  const ready = new Map<string, string[]>();
  // The first region comes first, for copies are made from it.
  for (const place of places.toSorted((a, b) => Number(b.region === home) - Number(a.region === home))) {
    const { region, disk, found, surplus, snapshot } = place;
    const removed = surplus.map(({ id }) => add({ kind: 'remove', place, subject: id }, []));
    const own = ready.get(region) ?? [];
    ready.set(region, own);
    const isCopy = region !== home;
    const source = places.find((other) => other.region === home && other.disk === disk);
    const needs = [...removed];
    if (found === undefined && isCopy) {
      const tested = source === undefined ? [] : endsOf(source, wanted);
      needs.push(add({ kind: 'copy', place }, [...removed, ...tested]));
    } else if (found === undefined) {
      const made = snapshot === undefined ? [add({ kind: 'snapshot', place }, removed)] : [];
      needs.push(add({ kind: 'register', place }, [...removed, ...made]));
    }
    if (isUnready(place)) own.push(add({ kind: 'wait', place, isCopy }, needs));
    else own.push(...removed);
    if (isTested(place, wanted, isCopy)) own.push(add({ kind: 'smoke-test', place }, own));
  }
  const required = regionsOf(wanted).filter((region) => !mayFail(wanted, region));
  return { required: required.flatMap((region) => ready.get(region) ?? []), byRegion: ready };
}

const isUnready = ({ found }: AmiPlace): boolean => found === undefined || found.ami.state !== 'available';

/** Only what nobody uses yet is tested. */
const isTested = ({ found }: AmiPlace, { smokeTest }: Wanted, isCopy: boolean): boolean =>
  smokeTest && !isCopy && !found?.ami.tags.has(TAGS.run);

/** Steps of the first region that must have ended before its AMI is copied. */
const endsOf = (source: AmiPlace, wanted: Wanted): string[] => [
  ...(isUnready(source) ? [idOf({ kind: 'wait', place: source })] : []),
  ...(isTested(source, wanted, false) ? [idOf({ kind: 'smoke-test', place: source })] : []),
];

function permissionsFor(place: AmiPlace, { sharing, shareSnapshots }: Wanted): Draft[] {
  const { found } = place;
  const known = found?.ami.isPublic ? { ...NOBODY, public: true } : NOBODY;
  const lacks = (wantedSharing: Sharing, there = NOBODY): boolean => isShared(missingSharing(wantedSharing, there));
  return [
    // Before the AMI, or there would be a moment in which those who see it could not copy it.
    ...(shareSnapshots && lacks(ofSnapshots(sharing), found?.snapshotSharing)
      ? [{ kind: 'snapshot-permission' as const, place }]
      : []),
    ...(lacks(sharing, found?.sharing ?? known) ? [{ kind: 'launch-permission' as const, place }] : []),
  ];
}

function deprecationFor(place: AmiPlace, wanted: Wanted, now: number): Draft[] {
  if (wanted.deprecateAfterDays === null) return [];
  const { found } = place;
  if (found !== undefined) {
    const at = deprecationOf(found.ami.created ?? now, wanted.deprecateAfterDays);
    // EC2 rounds to the minute, and takes no time that is over.
    if (at.isNear(found.ami.deprecated) || at.time <= now + DAY / 24) return [];
  }
  return [{ kind: 'deprecate', place }];
}

const pointersFor = (place: AmiPlace): Draft[] =>
  [...place.parameters]
    .filter(([, parameter]) => place.found === undefined || parameter?.value !== place.found.ami.id)
    .map(([subject]) => ({ kind: 'parameter', place, subject }));

/** Whoever disabled it may have had a reason that a deployment does not know. */
function disabledText(region: string, { id, tags }: AmiRecord): string {
  const since = tags.get(TAGS.disabled);
  const by = since === undefined ? 'is disabled' : `was disabled by prune at ${since}`;
  return `${id} has this content and ${by}: aws ec2 enable-image --region ${region} --image-id ${id}`;
}

/** Throws for what would be refused after the upload. */
function refuseClashes(places: readonly AmiPlace[], wanted: Wanted): void {
  const problems = places.flatMap((place) => {
    const { region, name, clash, found, disk, parameters } = place;
    const twin = places.find((other) => other !== place && other.region === region && other.name === name);
    return [
      ...(clash && found === undefined ? [`${region}: ${clash.id} has the name ${name} and another content`] : []),
      ...(twin && places.indexOf(twin) > places.indexOf(place) && found === undefined
        ? [`${region}: ${name} would be the name of two AMIs, for ${disk.system} and ${twin.disk.system}`]
        : []),
      ...(found?.ami.state === 'disabled' ? [`${region}: ${disabledText(region, found.ami)}`] : []),
      ...[...parameters].flatMap(([parameter, value]) =>
        value === undefined || value.dataType === 'aws:ec2:image'
          ? []
          : [`${region}: the parameter ${parameter} is of the type ${value.dataType}, which cannot be changed`],
      ),
    ];
  });
  if (problems.length === 0) return;
  const isLiveSomewhere = wanted.disks.some((disk) => isLive(places, disk));
  throw new UserError('input', `cannot make the AMIs:\n${problems.map((line) => `  ${line}`).join('\n')}`, {
    hint:
      'Use {content} in the name template, other names of parameters, or enable or deregister what is there.' +
      (isLiveSomewhere ? ' Some of these AMIs are published already.' : ''),
  });
}
