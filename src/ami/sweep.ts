import { type AmiRecord, hasFailed } from '../aws/ec2-api.ts';
import { type AwsRefusal, isRefused, NO_IMAGE, NO_SNAPSHOT } from '../aws/refusal.ts';
import { TAGS } from './content.ts';
import { RegionGrants } from './grants.ts';
import { type Left, leftImage, leftPointer, leftSnapshot, leftUnknown, leftUpload, type UndoTools } from './left.ts';
import type { ScopedEffect, UndoScope } from './scope.ts';
import { SETTLING } from './settle.ts';

type Effect<Made extends ScopedEffect['made']> = Extract<ScopedEffect, { readonly made: Made }>;

/** What is to go in one region. Each sweep looks again and removes what it sees. */
export class RegionSweep {
  readonly #region: string;
  readonly #scope: UndoScope;
  readonly #tools: UndoTools;
  readonly #contents: readonly string[];
  /** Ids that this run made, by the journal. */
  readonly #made: ReadonlySet<string>;
  /** AMIs that are to go, ever seen or known; pointers to them move back. */
  readonly #doomed = new Set<string>();
  readonly #goneImages = new Set<string>();
  readonly #snapshots = new Set<string>();
  readonly #goneSnapshots = new Set<string>();
  /** AMIs and snapshots that a list has shown. */
  readonly #seen = new Set<string>();
  /** Snapshots that AMIs which stay are made of. */
  #kept: ReadonlySet<string> = new Set();
  /** AMIs that were ever seen with the tag of a run that published them: a read without it is an old one. */
  readonly #published = new Set<string>();
  #isUndecided = false;
  readonly #reasons = new Map<string, string>();
  readonly #pointers = new Map<string, string | undefined>();
  /** Those of which AWS has said that they are back. */
  readonly #movedBack = new Set<string>();
  readonly #grants: RegionGrants;
  /** Contents of uploads that may have left something. */
  readonly #uploads: Set<string>;

  constructor(region: string, scope: UndoScope, tools: UndoTools) {
    this.#region = region;
    this.#scope = scope;
    this.#tools = tools;
    this.#contents = scope.places.filter((place) => place.region === region).map(({ content }) => content);
    this.#grants = new RegionGrants(region, scope.effects, tools);
    const { uploads } = scope;
    this.#uploads = new Set(uploads.filter((one) => one.region === region).map(({ content }) => content));
    this.#made = new Set([...this.#effects('image'), ...this.#effects('snapshot')].filter(isOwn).map(({ id }) => id));
    for (const { id } of this.#effects('snapshot').filter(isOwn)) this.#snapshots.add(id);
  }

  /** Whether there was nothing to do any more. `elapsed`: milliseconds since the first sweep. */
  async sweep(elapsed: number): Promise<boolean> {
    const images = await this.#doomedImages(elapsed);
    await this.#moveBack(elapsed);
    await this.#grants.takeBack((id) => this.#doomed.has(id) || this.#snapshots.has(id));
    // Lists may leave out some of those that were seen before.
    for (const id of this.#doomed) {
      if (this.#goneImages.has(id)) continue;
      const image = images.find((one) => one.id === id);
      await this.#attempt(id, () => this.#deregister(id, image, elapsed));
    }
    await this.#discardUploads();
    await this.#lookForSnapshots(images);
    const free = await this.#freeSnapshots();
    for (const id of free) await this.#attempt(id, () => this.#deleteSnapshot(id, elapsed));
    return !this.#isUndecided && this.#open().length === 0 && this.#pointers.size + this.#uploads.size === 0;
  }

  /** What is not gone, for a person to remove. `why`: what ended the last sweep. */
  left(why: string): Left[] {
    const region = this.#region;
    const whyOf = (id: string): string => this.#reasons.get(id) ?? (why === '' ? 'it is still there' : why);
    const images = [...this.#doomed].filter((id) => !this.#goneImages.has(id));
    const list: Left[] = [
      ...[...this.#pointers].map(([name, before]) => leftPointer(region, name, before, whyOf(name))),
      ...images.map((id) => leftImage(region, id, whyOf(id))),
      ...this.#openSnapshots().map((id) => leftSnapshot(region, id, whyOf(id))),
      ...[...this.#uploads].map((content) => leftUpload(region, whyOf(content))),
    ];
    return list.length > 0 ? list : [leftUnknown(region, this.#contents, whyOf(''))];
  }

  #effects<Made extends ScopedEffect['made']>(made: Made): Effect<Made>[] {
    return this.#scope.effects.filter(
      (effect): effect is Effect<Made> => effect.made === made && effect.region === this.#region,
    );
  }

  #ec2() {
    return this.#tools.cloud.ec2(this.#region);
  }

  /** One that cannot be removed now does not keep the others. */
  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#reasons.set(what, error instanceof Error ? error.message : String(error));
    }
  }

  #open(): string[] {
    return [...[...this.#doomed].filter((id) => !this.#goneImages.has(id)), ...this.#openSnapshots()];
  }

  #openSnapshots = (): string[] =>
    [...this.#snapshots].filter((id) => !this.#goneSnapshots.has(id) && !this.#kept.has(id));

  async #doomedImages(elapsed: number): Promise<AmiRecord[]> {
    this.#isUndecided = false;
    const known = this.#effects('image').map(({ id }) => id);
    const [byTag, byId] = await Promise.all([
      this.#contents.length > 0 ? this.#ec2().images({ tag: TAGS.content, values: this.#contents }) : [],
      known.length > 0 ? this.#ec2().images({ ids: known }) : [],
    ]);
    const all = [...new Map([...byTag, ...byId].map((image) => [image.id, image])).values()];
    for (const { id, tags } of all) if (tags.has(TAGS.run)) this.#published.add(id);
    for (const id of this.#published) this.#doomed.delete(id);
    for (const id of known) if (this.#made.has(id) && !this.#published.has(id)) this.#doomed.add(id);
    const doomed = all.filter((image) => image.state !== 'deregistered' && this.#isDoomed(image, elapsed));
    for (const { id, snapshots } of doomed) {
      this.#doomed.add(id);
      for (const snapshot of snapshots) this.#snapshots.add(snapshot);
    }
    for (const { id, state } of all) (state === 'deregistered' ? this.#goneImages : this.#seen).add(id);
    return doomed;
  }

  /** What is published stays, and so does what another run has made of a disk that was published before. */
  #isDoomed({ id, tags, state }: AmiRecord, elapsed: number): boolean {
    if (this.#published.has(id)) return false;
    const place = this.#scope.places.find(
      ({ region, content }) => region === this.#region && content === tags.get(TAGS.content),
    );
    if (this.#made.has(id) || hasFailed({ state })) return true;
    if (place?.isLive !== false) return false;
    // Another run may have published it a moment ago, and reads may not show that yet.
    if (elapsed >= SETTLING) return true;
    this.#isUndecided = true;
    return false;
  }

  /** Before AMIs go, for a pointer must not lead to one that is gone. */
  async #moveBack(elapsed: number): Promise<void> {
    const names = this.#scope.places
      .filter(({ region }) => region === this.#region)
      .flatMap((place) => place.parameters);
    if (names.length === 0) return;
    const ssm = this.#tools.cloud.ssm(this.#region);
    const now = await ssm.parameters(names);
    this.#pointers.clear();
    for (const name of names) {
      const value = now.get(name)?.value;
      const own = this.#effects('parameter').filter((effect) => effect.name === name);
      const moved = own.find(({ id }) => id === value);
      // Reads and deletions may not know yet what this run has set, and it would lead to an AMI that is gone.
      if (own.length > 0 && !this.#movedBack.has(name) && elapsed < SETTLING) this.#isUndecided = true;
      if (value === undefined || (moved === undefined && !this.#doomed.has(value))) continue;
      const before = await this.#valueBefore(name, value, moved?.before);
      if (before === value) continue;
      this.#pointers.set(name, before);
      await this.#attempt(name, async () => {
        await this.#say(`parameter ${name}: back to ${before ?? 'nothing'}`);
        if (before !== undefined) await ssm.putImage(name, before);
        else if (!(await ssm.remove(name))) return;
        this.#movedBack.add(name);
      });
    }
  }

  /** The last value that is none of those that go; the history knows it where another run has moved it. */
  async #valueBefore(name: string, value: string, recorded: string | null | undefined): Promise<string | undefined> {
    if (recorded !== undefined && recorded !== value) return recorded ?? undefined;
    const history = await this.#tools.cloud.ssm(this.#region).history(name);
    return history.find((one) => !this.#doomed.has(one.value))?.value;
  }

  async #deregister(id: string, image: AmiRecord | undefined, elapsed: number): Promise<void> {
    await this.#say(`AMI ${id}`);
    if (image?.isProtected) await this.#ec2().unprotectImage(id);
    try {
      await this.#ec2().deregisterImage(id);
    } catch (error) {
      if (!isRefused(error, ...NO_IMAGE)) throw error;
      // One that was made a moment ago may be there and unknown yet; one that is listed may be, however late.
      if (image !== undefined || elapsed < SETTLING) return;
      await this.#sayGone(id, `AMI ${id}`, error);
    }
    this.#goneImages.add(id);
  }

  async #discardUploads(): Promise<void> {
    const { discardUpload } = this.#tools;
    for (const content of this.#uploads)
      await this.#attempt(content, async () => {
        await discardUpload?.({ region: this.#region, content });
        this.#uploads.delete(content);
      });
  }

  async #lookForSnapshots(images: readonly AmiRecord[]): Promise<void> {
    for (const { snapshots } of images) for (const id of snapshots) this.#snapshots.add(id);
    if (this.#contents.length === 0) return;
    const tagged = await this.#ec2().snapshots({ tag: TAGS.content, values: this.#contents });
    for (const { id } of tagged) {
      this.#seen.add(id);
      if (!this.#goneSnapshots.has(id)) this.#snapshots.add(id);
    }
  }

  /** Those that no AMI which stays is made of. */
  async #freeSnapshots(): Promise<string[]> {
    this.#kept = new Set();
    const open = this.#openSnapshots();
    if (open.length === 0) return [];
    const users = await this.#ec2().images({ snapshots: open });
    const used = new Set(
      users
        .filter(({ id, state }) => state !== 'deregistered' && !this.#doomed.has(id) && !this.#goneImages.has(id))
        .flatMap(({ snapshots }) => snapshots),
    );
    const published = users.filter(({ id, tags }) => tags.has(TAGS.run) && !this.#doomed.has(id));
    for (const { snapshots } of published) for (const id of snapshots) used.add(id);
    this.#kept = used;
    return open.filter((id) => !used.has(id));
  }

  async #deleteSnapshot(id: string, elapsed: number): Promise<void> {
    await this.#say(`snapshot ${id}`);
    try {
      await this.#ec2().deleteSnapshot(id);
    } catch (error) {
      if (!isRefused(error, ...NO_SNAPSHOT)) throw error;
      if (elapsed < SETTLING) return;
      await this.#sayGone(id, `snapshot ${id}`, error);
    }
    this.#goneSnapshots.add(id);
  }

  /** What no list has shown, and no request of this run whose answer was lost can have removed, was gone before. */
  async #sayGone(id: string, what: string, { isFirst }: AwsRefusal): Promise<void> {
    if (isFirst && !this.#seen.has(id) && !this.#reasons.has(id))
      await this.#tools.journal.write({ event: 'gone', region: this.#region, what });
  }

  async #say(what: string): Promise<void> {
    await this.#tools.journal.write({ event: 'undo', region: this.#region, what });
  }
}

/** Whether the run made it itself. */
const isOwn = ({ isAdopted }: { readonly isAdopted: boolean }): boolean => !isAdopted;
