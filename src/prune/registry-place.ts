import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { isAttachedTag } from '../storage/attached-tags.ts';
import type { RegistryRepository } from '../storage/registry/registry-repository.ts';
import type { RegistryRemoval } from '../storage/registry/removal.ts';
import { GONE, keptBecause, type PrunePlace, REMOVED, type Removal } from './place.ts';
import { Placeholder, worst } from './placeholder.ts';
import { previewNumber } from './preview-tag.ts';
import type { Prunable } from './prunable.ts';
import { ItemReader } from './read-items.ts';
import { RemovedManifests } from './removed-manifests.ts';

/** Tags read at once. */
const READS_AT_ONCE = 8;

/** Tags that are read again before each removal: what moves, such as channels, is few beside what is kept for good. */
const CHANNELS = 64;

/** Whether a tag may come to mean an older image: neither what follows its subject, nor a preview, nor that of a commit. */
const isMovable = (tag: string): boolean =>
  !isAttachedTag(tag) && previewNumber(tag) === undefined && !/^sha-[0-9a-f]{7,64}$/.test(tag);

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
  readonly #removed: RemovedManifests;
  /** Tags that are to go, and those that this run has removed. */
  readonly #condemned = new Set<string>();
  /** What each tag meant when they were listed. */
  #known = new Map<string, string>();
  /** What tags meant that are new or have moved since then. */
  readonly #meant = new Map<string, string>();
  /** Whether the registry deletes tags alone; undefined until it has shown that. */
  #deletesTags: boolean | undefined;

  constructor({ repository, removal, log, run }: RegistryPlaceTools) {
    this.name = repository.name;
    this.#repository = repository;
    this.#removed = new RemovedManifests(repository, log);
    this.#removal = removal;
    this.#log = log;
    this.#placeholder = new Placeholder(repository, run);
    const listReferrers = (digest: Digest) => repository.ownReferrers(digest);
    this.#reader = new ItemReader({ source: repository, listReferrers, readsConfigs: true, log });
  }

  async list(): Promise<readonly Prunable[]> {
    // Lists of referrers last: a promotion is recorded before its channel moves, so what is read of a channel has its record.
    const named = await this.#read((tag) => !isAttachedTag(tag));
    const found = [...named, ...(await this.#read(isAttachedTag))];
    this.#known = new Map(found.map(({ tag, digest }) => [tag, digest]));
    const byDigest = Map.groupBy(found, ({ digest }) => digest);
    return await this.#reader.items([...byDigest].map(([digest, of]) => ({ digest, tags: of.map(({ tag }) => tag) })));
  }

  async #read(isWanted: (tag: string) => boolean): Promise<{ readonly tag: string; readonly digest: Digest }[]> {
    const tags = (await this.#removal.tags()).filter(isWanted);
    const read = await mapParallel(tags, READS_AT_ONCE, async (tag) => {
      const manifest = await this.#repository.getManifest(tag);
      if (manifest) this.#reader.know(manifest);
      return manifest ? [{ tag, digest: manifest.digest }] : [];
    });
    return read.flat();
  }

  async checkMayRemove(): Promise<void> {
    let answer: string;
    try {
      answer = await this.#removal.removeManifest(NOTHING);
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== 'credentials') throw error;
      throw new UserError('credentials', error.message, {
        hint: error.hint ?? 'The login needs the right to delete.',
        docs: 'retention.md#places',
        cause: error.cause,
      });
    }
    if (answer !== 'unsupported') return;
    throw new UserError('registry', `${this.name} does not let manifests be deleted`, {
      hint: NO_DELETE,
      docs: 'retention.md#places',
    });
  }

  async removeItem(item: Prunable): Promise<Removal> {
    const digest = digestIn(item);
    for (const name of item.names) this.#condemned.add(name);
    const manifest = await this.#repository.getManifest(digest);
    if (manifest === undefined) return GONE;
    // Right before it goes: what others remove or write in between is not to be told from what went with it.
    const before = item.names.length === 0 ? [] : await this.#removal.tags();
    const inUse = await this.#newUseOf(item, before);
    if (inUse !== undefined) return keptBecause(`the tag ${inUse} needs it by now`);
    const answer = await this.#removal.removeManifest(digest);
    if (answer === 'unsupported') return keptBecause('the registry does not delete it');
    this.#reader.forget(digest);
    this.#removed.add(digest, manifest);
    if (before.length > 0) await this.#restoreLost(before);
    return answer === 'gone' ? GONE : REMOVED;
  }

  async removeNames(item: Prunable, names: readonly string[]): Promise<Removal> {
    const removals: Removal[] = [];
    for (const name of names) removals.push(await this.#removeName(item, name));
    return worst(removals);
  }

  condemn(names: readonly string[]): void {
    for (const name of names) this.#condemned.add(name);
  }

  async finish(): Promise<void> {
    if (this.#placeholder.tags.length === 0) return;
    await this.#removal.removeManifest(this.#placeholder.manifest.digest);
    this.#reader.forget(this.#placeholder.manifest.digest);
    this.#placeholder.clear();
  }

  putBack(item: Prunable): Promise<void> {
    return this.#removed.putBack(item);
  }

  close(): Promise<void> {
    return this.#repository.close();
  }

  async #removeName(item: Prunable, name: string): Promise<Removal> {
    this.#condemned.add(name);
    this.#deletesTags ??= await this.#doesDeleteTags();
    if (!this.#deletesTags) return await this.#placeholder.take(item, name);
    const manifest = await this.#repository.getManifest(name);
    if (manifest === undefined) return GONE;
    if (manifest.digest !== item.id) return keptBecause(`${name} means another image by now`);
    return (await this.#removal.removeTag(name)) === 'gone' ? GONE : REMOVED;
  }

  /**
   * Some registries remove the manifest, and so all its tags, where only a tag was to go. What this one does is seen on the placeholder, never
   * on an image that stays: nobody else could tell that it is to come back. The tag is of this run alone, for clean-ups at the same time
   * have the same names in mind.
   */
  async #doesDeleteTags(): Promise<boolean> {
    const answer = await this.#removal.removeTag(await this.#placeholder.tagAlone());
    return (
      answer !== 'unsupported' && (await this.#repository.getManifest(this.#placeholder.manifest.digest)) !== undefined
    );
  }

  /** A tag that is new since they were listed, or has moved, and means the item or needs it. */
  async #newUseOf({ id }: Prunable, tags: readonly string[]): Promise<string | undefined> {
    const fresh = tags.filter((tag) => !this.#known.has(tag));
    const mayMove = tags.filter((tag) => this.#known.has(tag) && !this.#condemned.has(tag) && isMovable(tag));
    const asked = [...fresh, ...mayMove.slice(0, CHANNELS)];
    const read = await mapParallel(asked, READS_AT_ONCE, (tag) => this.#repository.getManifest(tag));
    for (const [at, manifest] of read.entries()) {
      const tag = asked[at];
      if (tag === undefined || manifest === undefined || this.#known.get(tag) === manifest.digest) continue;
      this.#reader.know(manifest);
      const items = await this.#reader.items([{ digest: manifest.digest, tags: [tag] }]);
      if (items.some((item) => item.id === id)) return tag;
      this.#meant.set(tag, manifest.digest);
    }
    return undefined;
  }

  /**
   * Looks for tags that went with a manifest because somebody had moved them to it, and gives them back what they meant when they were last
   * seen: another run may have removed them at the same time, and then the manifest is what they never meant. Whoever moved one looks again
   * (`settleTags`). One whose own image is gone as well was removed with that.
   */
  async #restoreLost(before: readonly string[]): Promise<void> {
    const after = new Set(await this.#removal.tags());
    for (const tag of before) {
      if (after.has(tag) || this.#condemned.has(tag) || isAttachedTag(tag) || previewNumber(tag) !== undefined)
        continue;
      const digest = this.#meant.get(tag) ?? this.#known.get(tag);
      const meant = digest === undefined ? undefined : await this.#repository.getManifest(digest);
      if (meant === undefined || (await this.#repository.getManifest(tag)) !== undefined) continue;
      this.#log.warn(
        `putting ${tag} of ${this.name} back to ${meant.digest}: it went while something else was removed`,
      );
      await this.#repository.tag(tag, meant);
    }
  }
}

function digestIn({ id }: Prunable): Digest {
  if (isDigest(id)) return id;
  throw new TypeError(`${id} is not a digest`);
}
