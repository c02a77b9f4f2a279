import { promotionIn, type RecordedPromotion } from '../channel/record.ts';
import type { Log } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import { parseManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { referrerOf } from '../oci/referrer.ts';
import { isAttachedTag } from '../storage/attached-tags.ts';
import { readPlatform } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';
import type { Prunable } from './prunable.ts';

/** Manifests read at once: enough to hide the latency of a registry. */
const READS_AT_ONCE = 8;

/**
 * Before this, a time says nothing: images that are made to be reproducible have 1970, and some tools 1980, the first year that zip archives
 * know.
 */
const FIRST_TIME = Date.parse('1981-01-01T00:00:00Z');

/** A manifest that a place lists. */
interface ListedManifest {
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** When it came, in milliseconds since 1970, where the place says so. */
  readonly added?: number | undefined;
}

/** What a manifest says; that never changes. */
interface Content {
  readonly needs: readonly Digest[];
  readonly subject: Digest | undefined;
  readonly stored: ReadonlyMap<string, number>;
  readonly made: number | undefined;
  readonly promotion: RecordedPromotion | undefined;
  /** What the place lists as being about it. */
  readonly referrers: readonly Digest[];
}

interface ReaderOptions {
  readonly source: Pick<ImageSource, 'name' | 'getManifest' | 'readBlob'>;
  /** What the place itself lists as referring to a manifest, where it has more than tags for that. */
  readonly listReferrers?: ((digest: Digest) => Promise<readonly Descriptor[]>) | undefined;
  /** Whether the time in a config counts, where neither the manifest nor the place has one. */
  readonly readsConfigs: boolean;
  readonly log: Log;
}

/** Reads manifests and all that hangs together with them. Each is read once, however often it is asked for. */
export class ItemReader {
  readonly #options: ReaderOptions;
  readonly #contents = new Map<Digest, Promise<Content | undefined>>();
  /** The tags that each manifest had when it was listed last. */
  readonly #tags = new Map<Digest, string>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** The items of a place: what it lists, and what that needs or has attached. What cannot be found is left out. Throws as the source does. */
  async items(listed: readonly ListedManifest[]): Promise<Prunable[]> {
    this.#forgetMoved(listed);
    const found = new Map<Digest, Content>();
    const asked = new Set<Digest>();
    let next: readonly Digest[] = listed.map(({ digest }) => digest);
    while (next.length > 0) {
      for (const digest of next) asked.add(digest);
      const read = await mapParallel(
        next,
        READS_AT_ONCE,
        async (digest) => [digest, await this.#content(digest)] as const,
      );
      for (const [digest, content] of read) if (content) found.set(digest, content);
      const more = read.flatMap(([, content]) => [...(content?.needs ?? []), ...(content?.referrers ?? [])]);
      next = [...new Set(more)].filter((digest) => !asked.has(digest));
    }
    const byDigest = new Map(listed.map((one) => [one.digest, one]));
    return [...found].map(([digest, content]) => asItem(digest, content, { listed: byDigest.get(digest), found }));
  }

  /** A manifest that was read for another reason. */
  know(manifest: StoredManifest): void {
    if (!this.#contents.has(manifest.digest)) this.#contents.set(manifest.digest, this.#read(manifest));
  }

  /** What has been removed is not there any more, whatever was read before. */
  forget(digest: Digest): void {
    this.#contents.delete(digest);
  }

  /** What has got another tag may have been promoted, and so have something new that refers to it. */
  #forgetMoved(listed: readonly ListedManifest[]): void {
    for (const { digest, tags } of listed) {
      const now = tags.toSorted().join(' ');
      const before = this.#tags.get(digest);
      if (before !== undefined && before !== now) this.#contents.delete(digest);
      this.#tags.set(digest, now);
    }
  }

  #content(digest: Digest): Promise<Content | undefined> {
    const known = this.#contents.get(digest) ?? this.#fetch(digest);
    this.#contents.set(digest, known);
    return known;
  }

  async #fetch(digest: Digest): Promise<Content | undefined> {
    const { source, log } = this.#options;
    const manifest = await source.getManifest(digest);
    if (manifest === undefined) log.debug(`${source.name} does not have ${digest}`);
    return manifest && (await this.#read(manifest));
  }

  async #read(manifest: StoredManifest): Promise<Content> {
    const { source, listReferrers, readsConfigs } = this.#options;
    const content = parseManifest(manifest);
    const blobs = content.kind === 'image' ? [content.config, ...content.layers] : [];
    const promotion = promotionIn(manifest);
    const stated = timeIn(content.annotations?.[ORIGIN_ANNOTATION.created]);
    const asksConfig = readsConfigs && stated === undefined && content.kind === 'image' && isConfig(content.config);
    // A config that cannot be read has no time to tell; what is kept and what goes does not depend on it otherwise.
    const config = asksConfig
      ? await readPlatform(source, content.config, manifest.digest).catch(() => undefined)
      : undefined;
    return {
      needs: content.kind === 'index' ? content.manifests.map(({ digest }) => digest) : [],
      subject: referrerOf(manifest)?.subject,
      stored: new Map<string, number>([
        [manifest.digest, manifest.bytes.length],
        ...blobs.map(({ digest, size }) => [digest, size] as const),
      ]),
      made: stated ?? timeIn(config?.created),
      promotion: promotion?.repository === source.name ? promotion : undefined,
      referrers: ((await listReferrers?.(manifest.digest)) ?? []).map(({ digest }) => digest),
    };
  }
}

const isConfig = ({ mediaType }: Descriptor): boolean =>
  /\.(?:image\.config|container\.image|disk\.config)\.v1\+json$/.test(mediaType);

function timeIn(text: string | null | undefined): number | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) || time < FIRST_TIME ? undefined : time;
}

interface Found {
  readonly listed: ListedManifest | undefined;
  readonly found: ReadonlyMap<Digest, Content>;
}

function asItem(
  digest: Digest,
  { needs, subject, stored, made, promotion }: Content,
  { listed, found }: Found,
): Prunable {
  const names = listed?.tags ?? [];
  // An index that says no time is as old as the newest of its images.
  const times = [made ?? newestOf(needs.map((need) => found.get(need)?.made)), listed?.added];
  return {
    id: digest,
    names,
    time: newestOf(times),
    needs,
    about: [...new Set([...(subject ? [subject] : []), ...names.filter(isAttachedTag).map(subjectOfTag)])],
    stored,
    promotion,
  };
}

const newestOf = (times: readonly (number | undefined)[]): number | undefined =>
  times.reduce(
    (newest, time) => (time !== undefined && !(newest !== undefined && newest > time) ? time : newest),
    undefined,
  );

/** `sha256-<hex>` and `sha256-<hex>.sig` are about `sha256:<hex>`. */
const subjectOfTag = (tag: string): string => tag.replace('-', ':').replace(/\.[a-z]+$/, '');
