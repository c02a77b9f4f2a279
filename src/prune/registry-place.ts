import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { RegistryRepository } from '../storage/registry/registry-repository.ts';
import type { RegistryRemoval } from '../storage/registry/removal.ts';
import { GONE, keptBecause, type PrunePlace, REMOVED, type Removal } from './place.ts';
import { Placeholder, worst } from './placeholder.ts';
import type { Prunable } from './prunable.ts';
import { ItemReader } from './read-items.ts';

/** Tags read at once. */
const READS_AT_ONCE = 8;

/** A digest that nothing has: asking to remove it shows whether anything may be removed. */
const NOTHING = digestOf(Buffer.from('nix-images asks whether manifests may be deleted'));

const NO_DELETE =
  "Allow it in the registry's settings (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or use the retention rules of its own.";

interface RegistryPlaceTools {
  readonly repository: RegistryRepository;
  readonly removal: RegistryRemoval;
  readonly log: Log;
  /** Tells this run from others. */
  readonly run: string;
}

/** A repository of a registry that deletes manifests itself (distribution-spec 1.1, "Content Management"). */
export class RegistryPlace implements PrunePlace {
  readonly name: string;
  readonly #repository: RegistryRepository;
  readonly #removal: RegistryRemoval;
  readonly #log: Log;
  readonly #reader: ItemReader;
  readonly #placeholder: Placeholder;
  /** What was removed, to be put back if it must be. */
  readonly #removed = new Map<string, StoredManifest>();
  /** Tags of this run's own, and those that it has removed. */
  readonly #condemned = new Set<string>();
  /** What each tag meant when they were listed. */
  #known = new Map<string, string>();
  /** Whether the registry deletes tags alone, as far as it has shown that. */
  #deletesTags = true;

  constructor({ repository, removal, log, run }: RegistryPlaceTools) {
    this.name = repository.name;
    this.#repository = repository;
    this.#removal = removal;
    this.#log = log;
    this.#placeholder = new Placeholder(repository, run);
    const listReferrers = (digest: Digest) => repository.ownReferrers(digest);
    this.#reader = new ItemReader({ source: repository, listReferrers, readsConfigs: true, log });
  }

  async list(): Promise<readonly Prunable[]> {
    const tags = await this.#removal.tags();
    const read = await mapParallel(tags, READS_AT_ONCE, async (tag) => {
      const manifest = await this.#repository.getManifest(tag);
      if (manifest) this.#reader.know(manifest);
      return manifest ? [{ tag, digest: manifest.digest }] : [];
    });
    const found = read.flat();
    this.#known = new Map(found.map(({ tag, digest }) => [tag, digest]));
    const byDigest = Map.groupBy(found, ({ digest }) => digest);
    return await this.#reader.items([...byDigest].map(([digest, of]) => ({ digest, tags: of.map(({ tag }) => tag) })));
  }

  async checkMayRemove(): Promise<void> {
    let answer: string;
    try {
      answer = await this.#removal.removeManifest(NOTHING);
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'credentials') throw error;
      throw new UserError('credentials', error.message, {
        hint: error.hint ?? 'The login needs the right to delete.',
        cause: error.cause,
      });
    }
    if (answer !== 'unsupported') return;
    throw new UserError('registry', `${this.name} does not let manifests be deleted`, {
      hint: NO_DELETE,
      docs: 'retention.md',
    });
  }

  async removeItem(item: Prunable): Promise<Removal> {
    const digest = digestIn(item);
    for (const name of item.names) this.#condemned.add(name);
    const before = item.names.length === 0 ? [] : await this.#removal.tags();
    const inUse = await this.#newUseOf(item, before);
    if (inUse !== undefined) return keptBecause(`the new tag ${inUse} needs it`);
    const manifest = await this.#repository.getManifest(digest);
    if (manifest === undefined) return GONE;
    const answer = await this.#removal.removeManifest(digest);
    if (answer === 'unsupported') return keptBecause('the registry does not delete it');
    this.#reader.forget(digest);
    this.#removed.set(digest, manifest);
    const lost = before.length === 0 ? [] : await this.#lostTags(before, manifest);
    if (lost.length > 0) return keptBecause(`${lost.join(', ')} was moved to it meanwhile`);
    return answer === 'gone' ? GONE : REMOVED;
  }

  async removeNames(item: Prunable, names: readonly string[]): Promise<Removal> {
    const removals: Removal[] = [];
    for (const name of names) removals.push(await this.#removeName(item, name));
    return worst(removals);
  }

  async finish(): Promise<void> {
    if (this.#placeholder.tags.length === 0) return;
    await this.#removal.removeManifest(this.#placeholder.manifest.digest);
    this.#reader.forget(this.#placeholder.manifest.digest);
    this.#placeholder.clear();
  }

  async putBack({ id }: Prunable): Promise<void> {
    const manifest = this.#removed.get(id);
    if (manifest === undefined) return;
    this.#log.warn(`putting ${id} back into ${this.name}: an image that was published meanwhile needs it`);
    await this.#repository.putManifest(manifest);
  }

  close(): Promise<void> {
    return this.#repository.close();
  }

  async #removeName(item: Prunable, name: string): Promise<Removal> {
    this.#condemned.add(name);
    if (!this.#deletesTags) return await this.#placeholder.take(item, name);
    const manifest = await this.#repository.getManifest(name);
    if (manifest === undefined) return GONE;
    if (manifest.digest !== item.id) return keptBecause(`${name} means another image by now`);
    const answer = await this.#removal.removeTag(name);
    if (answer === 'unsupported') {
      this.#deletesTags = false;
      return await this.#placeholder.take(item, name);
    }
    await this.#keepManifest(item, manifest);
    return answer === 'gone' ? GONE : REMOVED;
  }

  /** Some registries remove the manifest, and so all its tags, where only a tag was to go: then it is put back. */
  async #keepManifest(item: Prunable, manifest: StoredManifest): Promise<void> {
    if ((await this.#repository.getManifest(manifest.digest)) !== undefined) return;
    this.#deletesTags = false;
    this.#log.warn(`${this.name} removes a manifest with one of its tags; putting ${manifest.digest} back`);
    await this.#repository.putManifest(manifest);
    const others = item.names.filter((name) => !this.#condemned.has(name));
    for (const name of others) {
      if ((await this.#repository.getManifest(name)) === undefined) await this.#repository.tag(name, manifest);
    }
  }

  /** A tag that is new since they were listed, and means the item or needs it. */
  async #newUseOf({ id }: Prunable, tags: readonly string[]): Promise<string | undefined> {
    for (const tag of tags) {
      if (this.#known.has(tag)) continue;
      const manifest = await this.#repository.getManifest(tag);
      if (manifest === undefined) continue;
      this.#reader.know(manifest);
      const items = await this.#reader.items([{ digest: manifest.digest, tags: [tag] }]);
      if (items.some((item) => item.id === id)) return tag;
    }
    return undefined;
  }

  /** Tags that went with a manifest because somebody had moved them to it: they and the manifest are put back. */
  async #lostTags(before: readonly string[], manifest: StoredManifest): Promise<string[]> {
    const after = new Set(await this.#removal.tags());
    const lost = before.filter((tag) => !after.has(tag) && !this.#condemned.has(tag));
    if (lost.length === 0) return [];
    this.#log.warn(`putting ${lost.join(', ')} back into ${this.name}: moved while ${manifest.digest} was removed`);
    await this.#repository.putManifest(manifest);
    for (const tag of lost) await this.#repository.tag(tag, manifest);
    return lost;
  }
}

function digestIn({ id }: Prunable): Digest {
  if (isDigest(id)) return id;
  throw new TypeError(`${id} is not a digest`);
}
