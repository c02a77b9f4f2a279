import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stdin } from 'node:process';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { mapParallel } from '../core/parallel.ts';
import { collect } from '../core/stream.ts';
import type { Host } from '../host/host.ts';
import { eachLine, parseCopyList } from '../publish/copy-list.ts';
import type { DestinationLine } from '../publish/destination-line.ts';
import { checkFileDestinations } from '../publish/target.ts';
import type { Repository } from '../storage/destination.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import type { OpenFiles } from '../storage/open.ts';
import { type CopiedImage, type Copying, copyEntry, type PlannedCopy, planCopy } from './copy-entry.ts';
import type { Places } from './places.ts';
import { runTags } from './tags.ts';

/** Images at once, at registries: each is a few requests mostly. Files are written one image after another. */
const AT_ONCE = 4;

/** Of a list, in bytes: ten thousands of lines. */
const LIST_LIMIT = 4 * 1024 * 1024;

/** What became of one line. */
export type LineOutcome =
  | { readonly line: number; readonly copied: CopiedImage }
  | { readonly line: number; readonly source: string; readonly error: UserError };

interface ListInputs {
  /** The list's file, or `-`. */
  readonly list: string;
  readonly to: readonly DestinationLine[];
  readonly tags: readonly string[];
}

/** What is the same for all lines. */
type ListCopying = Pick<Copying, 'host' | 'places' | 'optional' | 'system' | 'referrers' | 'verify'>;

type PlannedLine = PlannedCopy & { readonly line: number };

/**
 * Copies every image of a list. The whole list is checked before the first is copied; then images do not depend on each other,
 * and a failure leaves the others. An archive that several lines write appears when all of them are done, with those that went
 * well. Throws UserError `input` for a list that is wrong.
 */
export async function copyListed({ list, to, tags }: ListInputs, copying: ListCopying): Promise<LineOutcome[]> {
  const { host, places } = copying;
  const name = list === '-' ? 'standard input' : list;
  const read = parseCopyList(await readList(list, host), name, to);
  const own = await runTags(
    read.flatMap((line) => line.to),
    [],
    host,
  );
  const planned = eachLine(read, name, ({ line, source, to: lineTo }) => ({
    line,
    ...planCopy(source, lineTo, { tags, own, cwd: host.cwd }),
  }));
  const lines = checkLines(planned, name);
  const locations = lines.flatMap(({ destinations }) => destinations.map(({ location }) => location));
  checkFileDestinations(locations);
  const archives = new SharedArchives(places);
  const files: OpenFiles = new Map();
  const areRegistries = locations.every(({ kind }) => kind === 'registry');
  try {
    const outcomes = await mapParallel(lines, areRegistries ? AT_ONCE : 1, (line) =>
      outcomeOf(line, host, () =>
        copyEntry(line, {
          ...copying,
          openForReading: (source) => places.openForReading(source, files),
          openForWriting: (destination, named) => archives.open(destination, named),
          isHeldOpen: isArchive,
        }),
      ),
    );
    return await archives.commit(outcomes);
  } finally {
    await archives.abandon();
    for (const source of files.values()) await source.then((opened) => opened.close()).catch(() => undefined);
  }
}

async function readList(list: string, { cwd }: Pick<Host, 'cwd'>): Promise<string> {
  if (list === '-') return (await collect(stdin, LIST_LIMIT)).toString('utf8');
  return withFileErrors(list, 'read', async () => {
    await using file = await open(resolve(cwd, list));
    return (await collect(file.createReadStream({ autoClose: false }), LIST_LIMIT)).toString('utf8');
  });
}

/** Throws UserError `input` for lines that would write over each other, or read what appears at the end. */
function checkLines(planned: readonly PlannedLine[], name: string): readonly PlannedLine[] {
  const writers = new Map<string, PlannedLine>();
  const archives = new Map<string, number>();
  eachLine(planned, name, (line) => {
    for (const { location, tags: own } of line.destinations) {
      if (isArchive(location)) archives.set(location.path, line.line);
      for (const tag of own) {
        const place = placeOf(location, tag);
        const other = writers.get(place) ?? line;
        writers.set(place, other);
        if (formatLocation(other.source) === formatLocation(line.source)) continue;
        throw new UserError('input', `${place} is where line ${other.line} goes`, {
          hint: 'Give each image a name or tag of its own; {name} in a destination is the name of the image.',
        });
      }
    }
  });
  eachLine(planned, name, ({ source }) => {
    const writer = isArchive(source) ? archives.get(source.path) : undefined;
    if (writer === undefined) return;
    throw new UserError('input', `${formatLocation(source)} is what line ${writer} writes`, {
      hint: 'An archive appears at the end of the run: read it in another one.',
    });
  });
  return planned;
}

/** A tag of a place, in one spelling. */
const placeOf = (location: Location, tag: string): string =>
  location.kind === 'registry'
    ? `docker://${location.reference.host}/${location.reference.repository}:${tag}`
    : `${location.kind}:${location.path}:${tag}`;

const isArchive = (location: Location): location is Exclude<Location, { kind: 'registry' | 'oci' }> =>
  location.kind === 'oci-archive' || location.kind === 'docker-archive';

async function outcomeOf(
  { line, source }: PlannedLine,
  host: Host,
  copy: () => Promise<CopiedImage>,
): Promise<LineOutcome> {
  const shown = formatLocation(source);
  try {
    return { line, copied: await host.log.group(`Copying ${shown}`, copy) };
  } catch (error) {
    if (!(error instanceof UserError) || host.signal.aborted) throw error;
    host.log.warn(`${shown} is not copied: ${error.message}`);
    return { line, source: shown, error };
  }
}

/** Archives that several images go into: each is opened once and appears when all have been written. */
class SharedArchives {
  readonly #places: Places;
  readonly #archives = new Map<string, Repository>();

  constructor(places: Places) {
    this.#places = places;
  }

  open(destination: Location, named: PlannedCopy['named']): Repository {
    const repository = this.#places.openForWriting(destination, named);
    // Nothing is opened before the first use, so the second one costs nothing.
    if (!isArchive(destination)) return repository;
    const known = this.#archives.get(repository.name) ?? repository;
    this.#archives.set(repository.name, known);
    return known;
  }

  /** Makes the archives appear; where one cannot, what was to be in it is not copied. */
  async commit(outcomes: readonly LineOutcome[]): Promise<LineOutcome[]> {
    let told = [...outcomes];
    for (const [name, repository] of this.#archives) {
      const isIn = (outcome: LineOutcome): outcome is Extract<LineOutcome, { copied: CopiedImage }> =>
        'copied' in outcome && outcome.copied.targets.some((target) => target.name === name);
      if (!told.some(isIn)) continue;
      try {
        await repository.commit();
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        told = told.map((outcome) =>
          isIn(outcome) ? { line: outcome.line, source: outcome.copied.source, error } : outcome,
        );
      }
    }
    return told;
  }

  async abandon(): Promise<void> {
    for (const repository of this.#archives.values()) await repository.abandon();
  }
}
