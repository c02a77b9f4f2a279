import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, endDigest, isDigest } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { INDEX_PREFIX, kindOfKey } from './keys.ts';
import type { OciPlace } from './oci-place.ts';
import type { CacheEntry, CacheStore, RemoveOutcome, SaveOutcome } from './store.ts';

/** OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage": the config of what is not an image. */
const EMPTY = { type: 'application/vnd.oci.empty.v1+json', bytes: Buffer.from('{}') } as const;

const ENTRY_TYPE = 'application/vnd.nix-images.cache.entry.v1';

/** By which an entry says its key: a tag may be too short for it. */
const KEY_ANNOTATION = 'nix-images.cache.key';

const CREATED = 'org.opencontainers.image.created';

/** What all our tags begin with. */
const TAG_PREFIX = 'nix-images-v1-';
const NEWEST = `${TAG_PREFIX}newest-`;

const NEEDS_DELETE = 'The login needs the right to delete.';

/** Characters of a tag (OCI distribution-spec, "Pulling manifests"). */
const TAG_LIMIT = 128;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The tag of an entry. */
const tagOf = (key: string): string => (key.length <= TAG_LIMIT ? key : TAG_PREFIX + sha256(key));

/** The tag that is moved to the newest entry whose key begins so. */
const newestTag = (prefix: string): string => NEWEST + sha256(prefix).slice(0, 40);

/** What the newest entry is looked for by, where a store cannot list: indexes without run and attempt, parts of a job without attempt. */
function newestPrefixes(key: string): string[] {
  const kind = kindOfKey(key);
  if (kind === 'index') return [INDEX_PREFIX];
  return kind === 'part' ? [key.replace(/[^-]*$/, '')] : [];
}

type OciWorld = Pick<Effects, 'log' | 'clock'>;

/** Entries whose manifests are read at once. */
const READS_AT_ONCE = 8;

/** A key that says nothing but what it is: manifests may be anybody's. */
const KEY = /^[0-9A-Za-z_.-]{1,512}$/;

const NO_DELETE =
  'it deletes nothing for anyone. Allow it in its settings (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or delete what is old by its own ' +
  'retention rules or by nix-images prune';

/**
 * A cache in a repository of a registry, or in a layout: an artifact manifest for each entry, with the bytes as its only blob. Tags are the
 * keys, and one tag for each kind of index names the newest one, for registries that do not list their tags. Of what else is in the
 * repository nothing is counted: its room is not the cache's.
 */
export class OciStore implements CacheStore {
  readonly name: string;
  readonly #repository: Repository;
  readonly #place: OciPlace;
  readonly #world: OciWorld;
  /** What has been listed, by tag. Entries never change. */
  readonly #listed = new Map<string, CacheEntry>();

  constructor(place: OciPlace, world: OciWorld) {
    this.name = place.repository.name;
    this.#repository = place.repository;
    this.#place = place;
    this.#world = world;
  }

  async restoreNewest(prefix: string, file: string): Promise<string | undefined> {
    const key = await this.#fetch(newestTag(prefix), file);
    return key?.startsWith(prefix) ? key : undefined;
  }

  async restore(key: string, file: string): Promise<boolean> {
    return (await this.#fetch(tagOf(key), file)) === key;
  }

  /** Writes the entry under a tag, and gives its key. */
  async #fetch(tag: string, file: string): Promise<string | undefined> {
    let layer: Descriptor | undefined;
    try {
      const manifest = await this.#repository.getManifest(tag);
      if (!manifest) return undefined;
      const { annotations, layers } = parseImageManifest(manifest);
      [layer] = layers;
      if (layers.length !== 1 || !layer) return undefined;
      await pipeline(this.#repository.readBlob(layer), createWriteStream(file));
      return annotations?.[KEY_ANNOTATION];
    } catch (error) {
      const failure = fileError(error, file, 'write');
      if (!(failure instanceof UserError)) throw failure;
      if (!isOfStore(failure) && !(await this.#hasLost(layer, failure))) throw failure;
      this.#world.log.warn(`cannot read ${tag} of ${this.name}: ${failure.message}`);
      return undefined;
    }
  }

  /** Whether a layout no longer has what was to be read: another process has deleted it. */
  async #hasLost(layer: Descriptor | undefined, { code }: UserError): Promise<boolean> {
    return code === 'file' && layer !== undefined && !(await this.#repository.hasBlob(layer));
  }

  async save(key: string, file: string): Promise<SaveOutcome> {
    try {
      if (await this.#repository.getManifest(tagOf(key))) return { kind: 'exists' };
      const manifest = await this.#put(key, file);
      for (const tag of [tagOf(key), ...newestPrefixes(key).map(newestTag)]) await this.#repository.tag(tag, manifest);
      await this.#repository.commit();
      return { kind: 'saved' };
    } catch (error) {
      const failure = fileError(error, file, 'read');
      if (!isOfStore(failure)) throw failure;
      return { kind: failure.code === 'credentials' ? 'read-only' : 'failed', why: failure.message };
    }
  }

  async #put(key: string, file: string): Promise<StoredManifest> {
    const { size } = await withFileErrors(file, 'read', () => stat(file));
    const layer = await sendBlob(
      async (sink) => {
        const hash = createHash('sha256');
        for await (const chunk of createReadStream(file)) {
          hash.update(chunk as Buffer);
          await sink(chunk as Buffer);
        }
        return { mediaType: ENTRY_TYPE, digest: endDigest(hash), size };
      },
      [this.#repository],
    );
    const config = { mediaType: EMPTY.type, digest: digestOf(EMPTY.bytes), size: EMPTY.bytes.length };
    await this.#repository.putBlob(config, EMPTY.bytes);
    const created = new Date(this.#world.clock.now()).toISOString();
    const bytes = manifestBytes(config, [layer], { [KEY_ANNOTATION]: key, [CREATED]: created });
    const digest: Digest = digestOf(bytes);
    const manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest };
    await this.#repository.putManifest(manifest);
    return manifest;
  }

  async touch(key: string): Promise<boolean> {
    try {
      return (await this.#repository.getManifest(tagOf(key))) !== undefined;
    } catch (error) {
      if (!isOfStore(error)) throw error;
      return false;
    }
  }

  async list(): Promise<readonly CacheEntry[] | undefined> {
    try {
      const tags = await this.#place.tags();
      const ours = tags?.filter((tag) => tag.startsWith(TAG_PREFIX) && !tag.startsWith(NEWEST));
      return ours && (await mapParallel(ours, READS_AT_ONCE, (tag) => this.#describe(tag))).flat();
    } catch (error) {
      if (!isOfPlace(error)) throw error;
      this.#world.log.warn(`cannot list ${this.name}: ${error.message}`);
      return undefined;
    }
  }

  async #describe(tag: string): Promise<CacheEntry[]> {
    const known = this.#listed.get(tag);
    if (known) return [known];
    const manifest = await this.#repository.getManifest(tag);
    const entry = manifest && entryOf(manifest, this.#world.clock.now());
    // Who can write to the repository can tag anything.
    if (!entry || tagOf(entry.key) !== tag) return [];
    this.#listed.set(tag, entry);
    return [entry];
  }

  async remove({ id, key }: CacheEntry): Promise<RemoveOutcome> {
    if (!isDigest(id)) throw new TypeError(`${id} is not a digest`);
    try {
      const answer = await this.#place.remove(id);
      if (answer === 'unsupported') return { kind: 'denied', why: NO_DELETE };
      this.#listed.delete(tagOf(key));
      return { kind: answer };
    } catch (error) {
      if (!isOfPlace(error)) throw error;
      const { code, message, hint } = error;
      if (code === 'credentials') return { kind: 'denied', why: `${message}. ${hint ?? NEEDS_DELETE}` };
      return { kind: code === 'file' ? 'denied' : 'failed', why: message };
    }
  }

  async limits(): Promise<undefined> {
    return undefined;
  }
}

/** What a registry may do; everything else is this machine's, or the user's stop. */
const isOfStore = (error: unknown): error is UserError =>
  error instanceof UserError && ['registry', 'credentials', 'digest'].includes(error.code);

/** The same, where a layout's own files are what refuses. */
const isOfPlace = (error: unknown): error is UserError =>
  isOfStore(error) || (error instanceof UserError && error.code === 'file');

/** What a manifest says of its entry; undefined for one that is no entry. */
function entryOf(manifest: StoredManifest, now: number): CacheEntry | undefined {
  let content: ReturnType<typeof parseImageManifest>;
  try {
    content = parseImageManifest(manifest);
  } catch {
    return undefined;
  }
  const { annotations = {}, layers } = content;
  const key = annotations[KEY_ANNOTATION];
  const [layer] = layers;
  if (key === undefined || !KEY.test(key) || layers.length !== 1 || !layer) return undefined;
  const created = createdAt(annotations[CREATED], now);
  return { id: manifest.digest, key, bytes: layer.size, created, used: created };
}

/** Long ago where it is not said; never in the future, where an index would be the newest for good. */
function createdAt(text: string | undefined, now: number): number {
  const time = Date.parse(text ?? '');
  return Number.isFinite(time) ? Math.max(0, Math.min(time, now)) : 0;
}
