import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../core/error.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
import type { Log } from '../core/log.ts';
import { type Digest, digestOf, endDigest } from '../oci/digest.ts';
import { manifestBytes } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import type { Repository } from '../storage/destination.ts';
import { sendBlob } from '../storage/send-blob.ts';
import type { CacheStore, RemoveOutcome, SaveOutcome } from './store.ts';

/** OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage": the config of what is no image. */
const EMPTY = { type: 'application/vnd.oci.empty.v1+json', bytes: Buffer.from('{}') } as const;

const ENTRY_TYPE = 'application/vnd.nix-images.cache.entry.v1';

/** By which an entry says its key: a tag may be too short for it. */
const KEY_ANNOTATION = 'nix-images.cache.key';

/** Characters of a tag (OCI distribution-spec, "Pulling manifests"). */
const TAG_LIMIT = 128;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The tag of an entry. */
const tagOf = (key: string): string => (key.length <= TAG_LIMIT ? key : `nix-images-v1-${sha256(key)}`);

/** The tag that is moved to the newest entry whose key begins so. */
const newestTag = (prefix: string): string => `nix-images-v1-newest-${sha256(prefix).slice(0, 40)}`;

/** What an entry may be looked for by: its key without the last parts, as keys of indexes (run, attempt) and parts (attempt) have them. */
const prefixesOf = (key: string): string[] => [key.replace(/[^-]*$/, ''), key.replace(/[^-]*-[^-]*$/, '')];

/**
 * A cache in a repository of a registry, or in a layout: an artifact manifest for each entry, with the bytes as its only blob. Tags are the
 * keys, and one tag a prefix names the newest entry. Registries cannot list by age or delete for everyone, so this neither lists nor deletes:
 * what keeps it small is the registry's own retention.
 */
export class OciStore implements CacheStore {
  readonly name: string;
  readonly #repository: Repository;
  readonly #log: Pick<Log, 'warn'>;

  constructor(repository: Repository, log: Pick<Log, 'warn'>) {
    this.name = repository.name;
    this.#repository = repository;
    this.#log = log;
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
    try {
      const manifest = await this.#repository.getManifest(tag);
      if (!manifest) return undefined;
      const { annotations, layers } = parseImageManifest(manifest);
      const [layer] = layers;
      if (layers.length !== 1 || !layer) return undefined;
      await pipeline(this.#repository.readBlob(layer), createWriteStream(file));
      return annotations?.[KEY_ANNOTATION];
    } catch (error) {
      const failure = fileError(error, file, 'write');
      if (!isOfStore(failure)) throw failure;
      this.#log.warn(`cannot read ${tag} of ${this.name}: ${failure.message}`);
      return undefined;
    }
  }

  async save(key: string, file: string): Promise<SaveOutcome> {
    try {
      if (await this.#repository.getManifest(tagOf(key))) return { kind: 'exists' };
      const manifest = await this.#put(key, file);
      for (const tag of [tagOf(key), ...prefixesOf(key).map(newestTag)]) await this.#repository.tag(tag, manifest);
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
    const bytes = manifestBytes(config, [layer], { [KEY_ANNOTATION]: key });
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

  async list(): Promise<undefined> {
    return undefined;
  }

  async remove(): Promise<RemoveOutcome> {
    return { kind: 'denied', why: 'the retention of the registry deletes there' };
  }

  async limits(): Promise<undefined> {
    return undefined;
  }
}

/** What a registry may do; everything else is this machine's, or the user's stop. */
const isOfStore = (error: unknown): error is UserError =>
  error instanceof UserError && ['registry', 'credentials', 'digest'].includes(error.code);
