import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { contentsOf } from '../diff/contents.ts';
import type { Host } from '../host/host.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import { parseImageManifest } from '../oci/read-manifest.ts';
import type { PlannedImage } from '../plan/plan.ts';
import { type DestinationLine, requiredLines } from '../publish/destination-line.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { namedManifest } from '../storage/read-tag.ts';
import { type Advisory, dueReasons, type PublishedState, parseAdvisories } from '../update/due.ts';
import { inFolder, type Places } from './places.ts';
import { mayBeNew } from './plan-places.ts';

interface RebuildInputs {
  readonly to: readonly DestinationLine[];
  /** Days. */
  readonly maxAge: number | undefined;
  /** File, or https URL, of advisories. */
  readonly advisories: string | undefined;
}

/** Why what is published of the images is to be made again although no image changed; none where it is not. Throws UserError `input`. */
export async function rebuildReasons(
  images: readonly PlannedImage[],
  { to, maxAge, advisories: from }: RebuildInputs,
  places: Places,
  host: Host,
): Promise<string[]> {
  if (maxAge === undefined && from === undefined) return [];
  const [line] = requiredLines(to);
  if (line === undefined) {
    throw new UserError('input', `${maxAge === undefined ? 'advisories' : 'max-age'} is given without to`, {
      hint: 'Say where the images are published, such as to: ghcr.io/org/{name}.',
    });
  }
  const advisories = from === undefined ? [] : await readAdvisories(from, host);
  const states: PublishedState[] = [];
  for (const { name } of images) {
    const location = inFolder(locationOf(line, name), host.cwd);
    const state = await publishedState(name, location, places, host.log).catch(async (error: unknown) => {
      if (!(await mayBeNew(location, error, places))) throw error;
      host.log.info(`nothing is published of ${name} yet, or not for this login to see`);
      return undefined;
    });
    if (state === undefined) continue;
    if (maxAge !== undefined && state.created === null) {
      host.log.warn(`${name} does not say when it was made (run-annotations), so its age is not known`);
    }
    states.push(state);
  }
  return dueReasons(states, { maxAge, advisories, now: systemClock.now() });
}

async function readAdvisories(from: string, { cwd, fetch, signal }: Host): Promise<Advisory[]> {
  if (!/^https?:\/\//.test(from)) {
    const path = resolve(cwd, from);
    return parseAdvisories(await withFileErrors(path, 'read', () => readFile(path, 'utf8')), from);
  }
  const response = await fetch(from, { signal });
  if (response.ok) return parseAdvisories(await response.text(), from);
  throw new UserError('input', `the server answered ${response.status} for the advisories at ${from}`, {
    hint: 'Check the address; it is asked without a login.',
  });
}

async function publishedState(
  name: string,
  location: Location,
  places: Places,
  log: Host['log'],
): Promise<PublishedState | undefined> {
  const { source, reference } = await places.openForReading(location);
  try {
    if ((await source.getManifest(reference)) === undefined) {
      log.info(`nothing is published of ${name} at ${source.name}:${reference}`);
      return undefined;
    }
    const { images } = await inspectImage(source, reference);
    const times: number[] = [];
    for (const { digest } of images) {
      const manifest = parseImageManifest(await namedManifest(source, digest), `${source.name}@${digest}`);
      times.push(Date.parse(manifest.annotations?.[ORIGIN_ANNOTATION.created] ?? ''));
    }
    const paths = images.flatMap((image) => contentsOf(image).paths?.map(({ path }) => path) ?? []);
    // Of systems that were made in different runs, the oldest counts.
    const oldest = Math.min(...times);
    return { name, created: Number.isFinite(oldest) ? oldest : null, paths };
  } finally {
    await source.close();
  }
}
