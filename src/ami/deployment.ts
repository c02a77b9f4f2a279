import type { Cloud } from '../aws/cloud.ts';
import type { Effects } from '../core/effects.ts';
import { Gate } from '../core/gate.ts';
import { ImageWatch } from './image-watch.ts';
import type { DeployJournal } from './journal.ts';
import type { AmiPlan } from './plan.ts';
import type { AmiPlace } from './survey.ts';
import type { WantedDisk } from './wanted.ts';

/** An upload of a disk that is asked for. */
export interface UploadRequest {
  readonly disk: WantedDisk;
  readonly region: string;
  /** Identity of the AMI that the snapshot is for: the same in every run. */
  readonly content: string;
  /** With the same one and the same disk an upload is gone on with. */
  readonly clientToken: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly kmsKey: string | undefined;
  readonly signal: AbortSignal;
}

/** What of the world a deployment needs. */
export interface DeployTools extends Pick<Effects, 'clock' | 'log' | 'signal'> {
  readonly cloud: Cloud;
  /** Makes a snapshot of a disk; resolves when it is complete, or nearly so. */
  readonly upload: (request: UploadRequest) => Promise<{ readonly snapshotId: string; readonly encrypted: boolean }>;
  /** Takes back what an upload left that ended before there was a snapshot with tags: objects, imports. Default: there is nothing. */
  readonly discardUpload?: ((upload: Pick<UploadRequest, 'region' | 'content'>) => Promise<void>) | undefined;
  /** Starts the AMI and waits for its marker; throws where it does not come. Undefined where none is wanted. */
  readonly smokeTest:
    | ((region: string, imageId: string, disk: WantedDisk, signal: AbortSignal) => Promise<void>)
    | undefined;
  readonly journal: DeployJournal;
  /** Names the run in tags: a URL, a number. */
  readonly run: string;
  /** Milliseconds that a snapshot or AMI may take to become ready. */
  readonly patience: number;
}

/** Snapshots that may be copied into a region at once, those of others in the account too (EBS quotas; it cannot be raised). */
const COPIES_AT_ONCE = 20;

const keyOf = ({ region, disk }: AmiPlace): string => `${region} ${disk.image} ${disk.system}`;

/** A plan that is being carried out: what its steps have made so far. */
export class Deployment {
  readonly plan: AmiPlan;
  readonly tools: DeployTools;
  readonly #images = new Map<string, string>();
  readonly #snapshots = new Map<string, string>();
  readonly #gates = new Map<string, Gate>();
  readonly #copying = new Map<string, () => void>();
  readonly #watches = new Map<string, ImageWatch>();

  constructor(plan: AmiPlan, tools: DeployTools) {
    this.plan = plan;
    this.tools = tools;
    for (const place of plan.places) {
      if (place.found) this.#images.set(keyOf(place), place.found.ami.id);
      if (place.snapshot) this.#snapshots.set(keyOf(place), place.snapshot.id);
    }
  }

  /** The AMI of a place; undefined while there is none. */
  imageOf(place: AmiPlace): string | undefined {
    return this.#images.get(keyOf(place));
  }

  needImage(place: AmiPlace): string {
    const id = this.imageOf(place);
    if (id !== undefined) return id;
    throw new RangeError(`no AMI yet for ${keyOf(place)}`);
  }

  /** The snapshot that the AMI of a place is made of; undefined while it is not known. */
  snapshotOf(place: AmiPlace): string | undefined {
    return place.found?.ami.snapshots[0] ?? this.#snapshots.get(keyOf(place));
  }

  needSnapshot(place: AmiPlace): string {
    const id = this.#snapshots.get(keyOf(place));
    if (id !== undefined) return id;
    throw new RangeError(`no snapshot yet for ${keyOf(place)}`);
  }

  setImage(place: AmiPlace, id: string): void {
    this.#images.set(keyOf(place), id);
  }

  setSnapshot(place: AmiPlace, id: string): void {
    this.#snapshots.set(keyOf(place), id);
  }

  /** By what all who wait for AMIs of a region look at them. */
  watch({ region }: AmiPlace): ImageWatch {
    const watch = this.#watches.get(region) ?? new ImageWatch(this.tools.cloud.ec2(region));
    this.#watches.set(region, watch);
    return watch;
  }

  /** Waits until a copy into the region may begin; it counts until `endCopy`. */
  async beginCopy(place: AmiPlace): Promise<void> {
    const gate = this.#gates.get(place.region) ?? new Gate(COPIES_AT_ONCE);
    this.#gates.set(place.region, gate);
    this.#copying.set(keyOf(place), await gate.enter());
  }

  endCopy(place: AmiPlace): void {
    this.#copying.get(keyOf(place))?.();
    this.#copying.delete(keyOf(place));
  }
}
