import type { RecordedPromotion } from '../channel/record.ts';

/** What rules must know of a thing whose name is not a tag that can be taken from it, such as a cache or a release. */
interface WholeItem {
  /** The pull request that it was made for. */
  readonly pull?: number | undefined;
  /** Why no rule but that of closed pull requests lets it go, unless force is given. */
  readonly guard?: string | undefined;
  /** When it was last used, in milliseconds since 1970; undefined where nothing says so. */
  readonly used?: number | undefined;
  /** What it is where it has no name: `no AMI is made of it`. Default: `it has no tag`. */
  readonly unnamed?: string | undefined;
  /** Why it goes whatever the policy says: the rest of it is gone already. */
  readonly isRest?: string | undefined;
}

/** One thing in a place that can be removed: a manifest, say, or a release. */
export interface Prunable {
  /** What names it for good: a digest. */
  readonly id: string;
  /** What it is called now: its tags, each of which can be taken from it. */
  readonly names: readonly string[];
  /** When it was made or came, whichever is later, in milliseconds since 1970; undefined where nothing says so. */
  readonly time: number | undefined;
  /** Items that it is not whole without, such as the images of an index. */
  readonly needs: readonly string[];
  /** Items that it is about: it goes when all of them are gone. Empty for most. */
  readonly about: readonly string[];
  /** What it stores, by what names it for good, in bytes; other items may store the same. */
  readonly stored: ReadonlyMap<string, number>;
  /** Set for what is no manifest; those say the same by their tags. */
  readonly whole?: WholeItem;
  /** The promotion to a channel of its place that it records. */
  readonly promotion?: RecordedPromotion | undefined;
}
