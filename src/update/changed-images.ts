import type { System } from '../oci/system.ts';
import { isContainer, type PlannedImage } from '../plan/plan.ts';

/** What an update does to one image. */
export interface ChangedImage {
  readonly name: string;
  /** Undefined where the update adds it. */
  readonly old: PlannedImage | undefined;
  /** Undefined where the update takes it away. */
  readonly new: PlannedImage | undefined;
  /** Systems whose image has another key than before. */
  readonly systems: readonly System[];
  /** Systems that it had before and for which it does not evaluate now, each with Nix's words. */
  readonly broken: readonly string[];
}

const keysOf = (image: PlannedImage | undefined): ReadonlyMap<System, string> =>
  new Map(image?.jobs.map(({ system, key }) => [system, key]));

const kindOf = ({ jobs }: PlannedImage): string => (jobs.some(isContainer) ? 'container' : 'disk');

const byName = (images: readonly PlannedImage[]) =>
  new Map(images.map((image) => [`${image.name} ${kindOf(image)}`, image]));

/** The images that an update changes, by name: those of another key for a system, and those that come or go. */
export function changedImages(before: readonly PlannedImage[], after: readonly PlannedImage[]): ChangedImage[] {
  const [olds, news] = [byName(before), byName(after)];
  return [...new Set([...olds.keys(), ...news.keys()])].sort().flatMap((id): ChangedImage[] => {
    const [old, now] = [olds.get(id), news.get(id)];
    const [oldKeys, newKeys] = [keysOf(old), keysOf(now)];
    const systems = [...new Set([...oldKeys.keys(), ...newKeys.keys()])].filter(
      (system) => oldKeys.get(system) !== newKeys.get(system),
    );
    if (systems.length === 0) return [];
    const name = (now ?? old)?.name ?? '';
    const broken = (now?.missing ?? []).filter(({ system }) => oldKeys.has(system)).map(({ why }) => why);
    return [{ name, old, new: now, systems, broken }];
  });
}
