import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheEntry, CacheStore, RemoveOutcome, SaveOutcome, StoreLimits } from '../../cache/store.ts';
import { UserError } from '../../core/error.ts';
import type { Clock } from '../../core/retry.ts';
import type { RestCaches } from '../rest/caches.ts';
import { noCacheService } from './cache-service.ts';
import { moveEntry, type TransferDeps } from './move-entry.ts';
import { SpareTransfer } from './spare-transfer.ts';
import type { EntryOrder, Moved } from './talk.ts';
import { missingTools } from './tools.ts';
import { TransferQueue } from './transfer-queue.ts';
import { restoreVerdict, type Said, saveVerdict, type Verdict } from './verdict.ts';

/** Where a service says that there were too many uploads but not until when: its limit is one a minute. */
const LIMIT_SECONDS = 60;

/** Failures of the service one after another, of up to half a minute each, after which it is left alone. */
const PATIENCE = 2;

const OFF: SaveOutcome = { kind: 'failed', why: 'the cache is not used in this job any more' };

interface GitHubStoreDeps extends TransferDeps {
  readonly clock: Clock;
  /** Undefined without a token: then nothing is listed and nothing deleted. */
  readonly rest: RestCaches | undefined;
}

/**
 * GitHub's cache as a store: entries move one after another, each in a process of its own around @actions/cache, which
 * starts while the one before moves its bytes; lists,
 * limits and deletions are asked of GitHub's REST interface.
 */
export class GitHubStore implements CacheStore {
  readonly name = "GitHub's cache";
  readonly #deps: GitHubStoreDeps;
  readonly #queue = new TransferQueue();
  /** The folder of what Node has compiled; undefined where there is no cache. */
  #ready: Promise<string | undefined> | undefined;
  /** What was listed last; undefined where that is not true any more. */
  #listed: Promise<readonly CacheEntry[] | undefined> | undefined;
  #spare: SpareTransfer | undefined;
  #failures = 0;
  #limitedUntil = 0;
  /** Whether looking an entry up counts as use here; undefined until it was seen. */
  #lookUpCounts: boolean | undefined;

  constructor(deps: GitHubStoreDeps) {
    this.#deps = deps;
  }

  async restoreNewest(prefix: string, file: string): Promise<string | undefined> {
    const isWanted = (key: string): boolean => key.startsWith(prefix);
    return await this.#restore({ verb: 'restore', key: prefix, file }, isWanted);
  }

  async restore(key: string, file: string): Promise<boolean> {
    // The service finds what begins so, too.
    return (await this.#restore({ verb: 'restore', key, file }, (found) => found === key)) !== undefined;
  }

  prepare(): void {
    if (this.#spare?.isWaiting) return;
    this.#spare = new SpareTransfer((ordered) => this.#start('restore', ordered));
  }

  async save(key: string, file: string): Promise<SaveOutcome> {
    const { clock, log } = this.#deps;
    if (clock.now() < this.#limitedUntil) return { kind: 'limited', until: this.#limitedUntil };
    const moved = await this.#move({ verb: 'save', key, file }, saveVerdict);
    if (moved === undefined) return OFF;
    this.#listed = undefined;
    const outcome = await this.#saved(key, moved.verdict);
    if (outcome.kind === 'failed') log.warn(`cannot store ${key} in ${this.name}: ${outcome.why}`);
    return outcome;
  }

  async touch(key: string): Promise<boolean> {
    const began = this.#deps.clock.now();
    if (this.#lookUpCounts !== false && !(await this.#isThere(key))) return false;
    if (this.#lookUpCounts === true) return true;
    this.#lookUpCounts ??= await this.#wasUsedSince(key, began);
    if (this.#lookUpCounts) return true;
    // Whatever a look-up is worth, reading an entry is use.
    const folder = await this.#deps.tempDir();
    try {
      return await this.restore(key, join(folder, 'entry'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async list(): Promise<readonly CacheEntry[] | undefined> {
    // Asked for the index, the dead refs and the plan of one step: all of them want to know what there was before.
    this.#listed ??= this.#deps.rest?.list();
    const listed = await this.#listed;
    if (listed === undefined) this.#listed = undefined;
    return listed;
  }

  async remove(entry: CacheEntry): Promise<RemoveOutcome> {
    this.#listed = undefined;
    return (
      (await this.#deps.rest?.remove(entry.id)) ?? { kind: 'denied', why: 'there is no token to delete entries with' }
    );
  }

  async limits(): Promise<StoreLimits | undefined> {
    return await this.#deps.rest?.limits();
  }

  async #restore(entry: Moved, isWanted: (key: string) => boolean): Promise<string | undefined> {
    const moved = await this.#move(entry, (said) => restoreVerdict(said, isWanted));
    if (moved === undefined) return undefined;
    const { said, verdict } = moved;
    if (verdict.kind === 'full') throw noSpace(`cannot read ${entry.key} from ${this.name}`);
    if (verdict.kind === 'done') return said.report.found;
    if (verdict.kind !== 'missing')
      this.#deps.log.warn(`cannot read ${entry.key} from ${this.name}: ${whyOf(verdict)}`);
    return undefined;
  }

  async #isThere(key: string): Promise<boolean> {
    const moved = await this.#move({ verb: 'look-up', key }, (said) => restoreVerdict(said, (found) => found === key));
    return moved?.verdict.kind === 'done';
  }

  async #wasUsedSince(key: string, time: number): Promise<boolean> {
    // What was listed before the look-up does not know of it.
    const entries = (await this.#deps.rest?.list())?.filter((entry) => entry.key === key) ?? [];
    return entries.some(({ used }) => used >= time);
  }

  /** A save's outcome; where only looking tells whether the entry can be read, it looks. */
  async #saved(key: string, verdict: Verdict): Promise<SaveOutcome> {
    switch (verdict.kind) {
      case 'done':
        return { kind: 'saved' };
      case 'taken':
        if (await this.#isThere(key)) return { kind: 'exists' };
        return { kind: 'failed', why: 'an upload that has not ended has its key, for up to a day' };
      case 'unconfirmed':
        if (await this.#isThere(key)) return { kind: 'saved' };
        return { kind: 'failed', why: verdict.why };
      case 'read-only':
        return verdict;
      case 'limited':
        this.#limitedUntil = this.#deps.clock.now() + (verdict.seconds ?? LIMIT_SECONDS) * 1000;
        return { kind: 'limited', until: this.#limitedUntil };
      case 'full':
        throw noSpace(`cannot store ${key} in ${this.name}`);
      default:
        return { kind: 'failed', why: whyOf(verdict) };
    }
  }

  /**
   * Runs a transfer after the one before; undefined where there is no cache, or none any more. What came of it counts before the
   * next one has its turn, which asks whether the cache is given up.
   */
  async #move(
    moved: Moved,
    judge: (said: Said) => Verdict,
  ): Promise<{ readonly said: Said; readonly verdict: Verdict } | undefined> {
    return await this.#queue.run(async (turn) => {
      const order = { moved, turn };
      const spare = moved.verb === 'restore' && this.#spare?.isWaiting ? this.#spare : undefined;
      const said = await (spare?.give(order) ?? this.#start(moved.verb, Promise.resolve(order)));
      return said && { said, verdict: this.#count(judge(said)) };
    });
  }

  /** Starts a process that does what it will be told; undefined where there is no cache, or none any more. */
  async #start(verb: Moved['verb'], ordered: Promise<EntryOrder | undefined>): Promise<Said | undefined> {
    this.#ready ??= this.#open();
    const compiled = await this.#ready;
    if (compiled === undefined || this.#isGivenUp()) return undefined;
    return await moveEntry({ ...this.#deps, compiled, isOff: this.#isOff }, verb, ordered);
  }

  readonly #isGivenUp = (): boolean => this.#failures >= PATIENCE;

  /** A job that is cancelled moves nothing more: the signal may reach a process that waits later than its turn does. */
  readonly #isOff = (): boolean => this.#isGivenUp() || this.#deps.signal.aborted;

  /** Says once what keeps the cache from being used. */
  async #open(): Promise<string | undefined> {
    const { env, log, tempDir } = this.#deps;
    const reason = noCacheService(env);
    if (reason !== undefined) {
      log.warn(`${this.name} is not used: ${reason}`);
      return undefined;
    }
    const missing = await missingTools(env);
    if (missing.tar) log.warn(`${this.name} is not used: tar is not installed`);
    else if (missing.zstd) {
      log.warn(`zstd is not installed: of ${this.name} this job sees only what jobs without zstd have stored`);
    }
    return missing.tar ? undefined : await tempDir();
  }

  /** Counts failures of the service; any other end shows that it works. */
  #count(verdict: Verdict): Verdict {
    const isDown = verdict.kind === 'failed' && verdict.isDown;
    this.#failures = isDown ? this.#failures + 1 : 0;
    if (this.#failures === PATIENCE) this.#deps.log.warn(`${this.name} does not answer; this job goes on without it`);
    return verdict;
  }
}

const whyOf = (verdict: Verdict): string => ('why' in verdict ? verdict.why : verdict.kind);

const noSpace = (what: string): UserError =>
  new UserError('file', `${what}: no space left on device`, { hint: 'Free space, or build less in this job.' });
