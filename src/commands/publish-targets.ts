import type { Host } from '../host/host.ts';
import { parseReference } from '../oci/reference.ts';
import { type ImageLine, requiredLines } from '../publish/destination-line.ts';
import {
  checkFileDestinations,
  checkRoom,
  chooseTags,
  filesFirst,
  mergeTargets,
  type Target,
  type WhyLeft,
} from '../publish/target.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { inFolder, type Places } from './places.ts';
import type { RunTags } from './tags.ts';

/** Where an image goes in this run. */
export interface ImageTarget extends Target {
  readonly location: Location;
  readonly mayFail: boolean;
}

interface Tools {
  readonly places: Places;
  readonly tags: Pick<RunTags, 'at'>;
  readonly host: Pick<Host, 'cwd' | 'log'>;
  readonly whyLeft: WhyLeft | undefined;
}

/**
 * The targets of an image, but for destinations none of whose rules applies to it; files come first. One place that is named
 * twice must not fail where one of the lines says so. Throws UserError as `chooseTags`, `checkRoom` and `checkFileDestinations` do.
 */
export function targetsOf(
  { name, tag }: { readonly name: string; readonly tag: string | null },
  platforms: number,
  to: readonly ImageLine[],
  { places, tags, host, whyLeft }: Tools,
): ImageTarget[] {
  const lines = to.length > 0 ? to : [undefined];
  const used = lines.filter((line) => tags.at(line, name)?.length !== 0);
  for (const line of lines)
    if (line && !used.includes(line)) host.log.info(`${name} does not go to ${line.text}: no rule of its tags applies`);
  const found = used.map((line) => {
    const location = inFolder(line ? locationOf(line, name) : defaultDestination(name), host.cwd);
    return { location, kind: location.kind, mayFail: line?.mayFail ?? false, asked: tags.at(line, name) ?? [] };
  });
  const ordered = filesFirst(found);
  const locations = ordered.map(({ location }) => location);
  checkRoom(locations, platforms);
  checkFileDestinations(locations);
  const imageName = parseReference(name);
  const targets = ordered.map(({ location, kind, mayFail, asked }) => ({
    repository: places.openForWriting(location, imageName),
    location,
    kind,
    mayFail,
    tags: chooseTags(location, asked, tag),
    whyLeft,
  }));
  const required = requiredLines(targets);
  return mergeTargets([...required, ...targets.filter((target) => !required.includes(target))]);
}

/** The last part of an image's name is a folder here: `oci:app`. */
const defaultDestination = (name: string): Location => ({
  kind: 'oci',
  path: name.slice(name.lastIndexOf('/') + 1),
});
