import { fileInstallable, type Installable, installableText, parseInstallable } from '../nix/installable.ts';
import type { System } from '../oci/system.ts';
import type { PlannedJob } from '../plan/plan.ts';
import type { PlanSource } from '../plan/source.ts';
import type { NamedJobs } from '../publish/platform-input.ts';
import type { Location } from '../storage/location.ts';

/** As a build job would be told. */
const installableOf = ({ flake, file }: PlanSource, attr: string): Installable =>
  file === null ? parseInstallable(`${flake}#${attr}`) : fileInstallable(file, attr || undefined);

/** What to evaluate for jobs of one image: those that differ in their system alone are evaluated together. */
export function jobsTogether(source: PlanSource, jobs: readonly PlannedJob[]): Iterable<NamedJobs> {
  const groups = new Map<string, { installable: Installable; systems: System[] }>();
  for (const { attr, system } of jobs) {
    const installable = installableOf(source, attr);
    // A cross-compiled image is listed under another system than its own.
    const isNative = installable.kind === 'flake' && installable.system === system;
    const open = isNative ? { ...installable, system: undefined } : installable;
    const key = installableText(open);
    const group = groups.get(key);
    if (group) group.systems.push(system);
    else groups.set(key, { installable: open, systems: [system] });
  }
  return groups.values();
}

/** A place of images, opened at the manifest that a plan has found there. */
export function atDigest(destination: Location, digest: PlannedJob['published']): Location {
  if (destination.kind === 'registry' && digest !== null) {
    const { host, repository } = destination.reference;
    return { kind: 'registry', reference: { host, repository, digest } };
  }
  // Any tag will do to open a layout: the manifest is asked for by its digest.
  return destination.kind === 'oci' ? { ...destination, tag: destination.tag ?? 'latest' } : destination;
}
