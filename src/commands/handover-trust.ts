import { UserError } from '../core/error.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { formatLocation, type Location, parseLocation } from '../storage/location.ts';
import type { Places } from './places.ts';

/** Which handovers of a run are taken, beside what every one must be. */
export const HANDOVERS = ['any', 'auto', 'registry', 'digest', 'none'] as const;

type Handovers = (typeof HANDOVERS)[number];

export interface TrustInputs {
  readonly handovers: Handovers;
  readonly handoverDigest: readonly Digest[];
}

/** Reads a digest as the build action's output has it. Throws UserError `input`. */
export function parseHandoverDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new UserError('input', `handover-digest: ${JSON.stringify(text)} is not a digest`, {
    hint: "Give a build step's output handover-digest: sha256: and 64 hexadecimal digits.",
  });
}

/** Throws UserError `input` for digests that would not count: without them, an empty list must not mean all. */
export function checkTrust({ handovers, handoverDigest }: TrustInputs, from: readonly string[]): void {
  if (handoverDigest.length > 0 && handovers !== 'digest') {
    throw new UserError('input', `handover-digest is given, but handovers is ${handovers}`, {
      hint: 'Set handovers: digest, so that nothing else is taken even where a job gave no digest.',
    });
  }
  if (handovers === 'digest' && from.length > 0) {
    throw new UserError('input', 'handovers: digest is for artifacts of the run, not for folders', {
      hint: 'Leave out `from`.',
    });
  }
}

/**
 * Checks where the layers of a handover are before anything is asked there: what is in a handover was written by a job, and
 * must not lead to another registry with this job's password. Throws UserError `handover`.
 */
export async function checkLayersPlace(
  part: PlatformInput,
  allowed: readonly Location[],
  handovers: Handovers,
  places: Places,
): Promise<void> {
  if (part.kind !== 'handover') return;
  const { label, manifest, origin } = part.handover;
  const isRegistryOnly = handovers === 'registry' || (handovers === 'auto' && (await hasCredentials(allowed, places)));
  if (label.destination === null) {
    if (!isRegistryOnly) return;
    throw new UserError('handover', `${origin} holds its layers itself, which handovers: ${handovers} does not allow`, {
      hint: 'Give the build job `to` and the same login for that registry as this job has, or set handovers: any.',
      docs: 'workflow-run.md#what-a-job-of-the-run-can-do',
    });
  }
  const destination = parseLocation(label.destination);
  if (!allowed.some((place) => isSamePlace(place, destination))) {
    throw new UserError(
      'handover',
      `${origin} says that its layers are at ${label.destination}, where nothing is published`,
      {
        hint: 'Give build and publish the same `to`. To read layers from elsewhere, name that image with --reuse-from.',
        docs: 'workflow-run.md#what-a-job-of-the-run-can-do',
      },
    );
  }
  if (!isRegistryOnly) return;
  const { source } = await places.openForReading(destination);
  if (await source.getManifest(manifest.digest)) return;
  throw new UserError('handover', `${source.name} does not have ${manifest.digest}, which ${origin} hands over`, {
    hint: 'Run the build job again. Registries that soon remove what no tag names keep it with `staging-tag: true`.',
  });
}

/** Whether build jobs with the same login as this one have chosen the registry (`chooseMode`). */
async function hasCredentials(allowed: readonly Location[], places: Places): Promise<boolean> {
  const registries = allowed.filter(({ kind }) => kind === 'registry');
  return (await Promise.all(registries.map((place) => places.hasCredentials(place)))).some(Boolean);
}

/** Whether two destinations are one repository or file, whatever their tags. */
export const isSamePlace = (a: Location, b: Location): boolean => placeText(a) === placeText(b);

function placeText(destination: Location): string {
  if (destination.kind !== 'registry') return `${destination.kind}:${destination.path}`;
  const { host, repository } = destination.reference;
  return formatLocation({ kind: 'registry', reference: { host, repository } });
}
