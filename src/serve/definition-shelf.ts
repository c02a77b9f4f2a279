import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { definitionKey, keyAnnotation, toolImageKey } from '../definition/image-key.ts';
import type { Evaluated } from '../nix/found-image.ts';
import { digestOf, shortDigest } from '../oci/digest.ts';
import { indexBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText } from '../oci/system.ts';
import type { DefinedImage, Definitions } from './definitions.ts';
import type { Shelf } from './respond.ts';
import type { ServedImage, ServedPlatform } from './served-image.ts';

/** Images of one name that can still be read: a client may be pulling the one before, slowly. */
const HELD = 3;

/** Milliseconds that an evaluation counts where nobody knows whether files have changed: a pull asks for a tag twice. */
const FRESH = 2_000;

/** Milliseconds until what failed is tried again although no file has changed: a substituter may be back. */
const RETRY_AFTER = 10_000;

interface ShelfTools extends Pick<Effects, 'log' | 'clock'> {
  readonly definitions: Definitions;
  readonly make: (evaluated: Evaluated) => Promise<ServedPlatform>;
}

/** What is known of one name. */
interface Entry {
  /** The newest first. */
  images: readonly ServedImage[];
  /** When its definition was looked at, and what was there then. */
  looked?: { readonly fingerprint: string | undefined; readonly at: number; readonly error?: UserError };
  running?: Promise<ServedImage | undefined>;
  next?: Promise<ServedImage | undefined>;
}

/** A shelf that makes images when they are asked for, anew when their definition has changed. */
interface DefinitionShelf extends Shelf {
  close(): Promise<void>;
}

/** Opens the shelf; nothing is evaluated before it is asked. */
export function openShelf(tools: ShelfTools): DefinitionShelf {
  const entries = new Map<string, Entry>();
  const find = (name: string): Promise<ServedImage | undefined> => {
    const entry = entries.get(name) ?? { images: [] };
    entries.set(name, entry);
    const start = (): Promise<ServedImage | undefined> => {
      const running = look(name, entry, tools).finally(() => {
        delete entry.running;
        // Names that anybody may ask for must not fill the memory.
        if (entry.looked === undefined && entry.next === undefined) entries.delete(name);
      });
      entry.running = running;
      return running;
    };
    if (!entry.running) return start();
    // What is being looked at may have changed since: whoever comes meanwhile waits, and then it is looked at once more for all of them.
    entry.next ??= entry.running
      .catch(() => undefined)
      .then(() => {
        delete entry.next;
        return start();
      });
    return entry.next;
  };
  return {
    names: async () => [...(await tools.definitions.names())].sort(),
    find,
    held: (name) => entries.get(name)?.images ?? [],
    close: async () => {
      const all = [...entries.values()];
      // What waits for the end of another look would else begin when everything is closed.
      await Promise.allSettled(all.map(({ running, next }) => next ?? running));
      const platforms = new Set(all.flatMap(({ images }) => images.flatMap((image) => image.platforms)));
      await Promise.all([...platforms].map((platform) => platform.close()));
    },
  };
}

/** The image as it is now, or the last good one where its definition is broken, which the log says once. */
async function look(name: string, entry: Entry, tools: ShelfTools): Promise<ServedImage | undefined> {
  const { definitions, clock, log } = tools;
  const fingerprint = await definitions.fingerprint();
  if (isFresh(entry, fingerprint, clock.now())) {
    if (entry.images.length === 0 && entry.looked?.error) throw entry.looked.error;
    return entry.images[0];
  }
  try {
    const defined = await definitions.evaluate(name);
    if (!defined) return undefined;
    const image = await make(defined, entry, tools);
    entry.looked = { fingerprint, at: clock.now() };
    return image;
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    const isNews = entry.looked?.error?.message !== error.message;
    entry.looked = { fingerprint, at: clock.now(), error };
    const [last] = entry.images;
    if (!last) throw error;
    if (isNews)
      log.warn(`${name}: ${error.message}; still serving the image before, ${shortDigest(last.index.digest)}`);
    return last;
  }
}

function isFresh({ images: [image], looked }: Entry, fingerprint: string | undefined, now: number): boolean {
  if (!looked || image?.platforms.some((platform) => platform.isDamaged())) return false;
  if (looked.error && now - looked.at >= RETRY_AFTER) return false;
  if (fingerprint === undefined) return now - looked.at < FRESH;
  return fingerprint === looked.fingerprint;
}

async function make(defined: DefinedImage, entry: Entry, tools: ShelfTools): Promise<ServedImage> {
  const { name, tag } = defined;
  const { log } = tools;
  const [before] = entry.images;
  for (const failure of defined.failures) log.warn(`${name}: left out: ${failure.message}`);
  const platforms: ServedPlatform[] = [];
  for (const [at, evaluated] of defined.platforms.entries()) {
    const same = before?.platforms.find(({ key, isDamaged }) => key === keyOf(evaluated) && !isDamaged());
    try {
      platforms.push(same ?? (await tools.make(evaluated)));
    } catch (error) {
      // The image that this machine runs is what is waited for; another system's can be made where Nix can build for it.
      if (at === 0 || !(error instanceof UserError) || error.code === 'cancelled') throw error;
      log.warn(`${name}: left out for ${evaluated.system}: ${error.message}`);
    }
  }
  const index = indexOf(platforms);
  const image: ServedImage = { tags: [...new Set([tag ?? 'latest', 'latest'])], index, platforms };
  if (before?.index.digest === index.digest && before.platforms.every((each) => platforms.includes(each)))
    return before;
  log.info(`${name}:${image.tags[0]} is the index ${index.digest}: ${platforms.map(textOf).join(', ')}`);
  const images = [image, ...entry.images];
  entry.images = images.slice(0, HELD);
  await letGo(images.slice(HELD), entry.images);
  return image;
}

/** With the digest of its own manifest: engines show that one or the index's. */
const textOf = ({ system, manifest }: ServedPlatform): string =>
  `${platformText(platformOf(system))} is ${manifest.digest}`;

const keyOf = (evaluated: Evaluated): string =>
  evaluated.kind === 'definition'
    ? definitionKey(evaluated.definition, evaluated.system)
    : toolImageKey(evaluated.toolImage, evaluated.system);

function indexOf(platforms: readonly ServedPlatform[]): StoredManifest {
  const entries = platforms.map(({ system, key, manifest }) => ({
    ...descriptorOf(manifest),
    platform: platformOf(system),
    annotations: keyAnnotation(key),
  }));
  const bytes = indexBytes(entries, {});
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
}

/** Closes the platforms of images that nobody can ask for any more. */
async function letGo(dropped: readonly ServedImage[], kept: readonly ServedImage[]): Promise<void> {
  const inUse = new Set(kept.flatMap(({ platforms }) => platforms));
  const unused = new Set(dropped.flatMap(({ platforms }) => platforms).filter((platform) => !inUse.has(platform)));
  await Promise.all([...unused].map((platform) => platform.close()));
}
