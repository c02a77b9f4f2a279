import { type Answered, AskedTogether } from '../core/asked-together.ts';
import { Gate } from '../core/gate.ts';
import { onFirstUse } from '../core/on-first-use.ts';
import type { StorePathInfo } from '../definition/closure.ts';
import type { Definition } from '../definition/definition.ts';
import { type FleetImage, planFleet } from '../definition/fleet-plan.ts';
import type { Nix } from '../nix/nix.ts';
import { type Building, type ImageClosure, readImageClosures } from './from-definition/image-closure.ts';
import { keepClosures } from './from-definition/image-paths.ts';

/** Images of other tools that are written at once: each has its layers unpacked somewhere, or in a pipe. */
const WRITTEN_AT_ONCE = 4;

/**
 * Images of definitions that are written at once. They share their threads, so more of them take no more memory; but an image that waits for its turn has its
 * layers mounted at the end, when nothing else is left to do and each waits for the registry alone.
 */
const PLANNED_AT_ONCE = 32;

interface ToPlan {
  readonly image: FleetImage;
  readonly like: string;
}

/** An image among those that are built together. */
export interface RoundMember {
  /** Nix builds for one image of another tool, or base, after another: it keeps the cores busy by itself. */
  readonly realising: Gate;
  readonly writing: Gate;
  /** The same for images whose layers are planned together. */
  readonly writingPlanned: Gate;
  /** Containers try one image after another, too. */
  readonly testing: Gate;
  /**
   * What `readImageClosure` gives, of all members by one question, when each has asked for its own or has left; what has to be built is built for all at
   * once. One whose packages do not build leaves the others.
   */
  closure(definition: Definition): Promise<ImageClosure>;
  /**
   * The layers of its store paths, when every member has asked for its own or has left. Only images that are `like` each other, and so may have
   * layers in common, are planned together. Once the round is over, an image is planned alone.
   */
  plan(image: FleetImage, like: string): Promise<StorePathInfo[][]>;
  /** Says that it will not ask, for it has failed or has no layers to plan; nothing after it has asked. */
  leave(): void;
}

/** What a round asks of the world. */
interface RoundTools {
  readonly nix: Nix;
  /** Folder for links that keep what the members are made of, until the last is done. */
  readonly gcRootDir: string;
  /** Is around what Nix builds. */
  readonly building: Building;
}

/** Images that one process builds at the same time, so that Nix is asked about all at once and their layers are planned together. */
export class BuildRound {
  readonly #realising = new Gate(1);
  readonly #writing = new Gate(WRITTEN_AT_ONCE);
  readonly #writingPlanned = new Gate(PLANNED_AT_ONCE);
  readonly #testing = new Gate(1);
  readonly #closures: AskedTogether<Definition, ImageClosure>;
  readonly #plans: AskedTogether<ToPlan, StorePathInfo[][]>;

  /** A round of so many members; each of them must join. */
  constructor(members: number, tools: RoundTools) {
    this.#closures = new AskedTogether(members, (definitions) => closuresOf(definitions, tools, this.#realising));
    this.#plans = new AskedTogether(members, async (images) => planAlike(images));
  }

  join(): RoundMember {
    const closures = this.#closures.join();
    const plans = this.#plans.join();
    return {
      realising: this.#realising,
      writing: this.#writing,
      writingPlanned: this.#writingPlanned,
      testing: this.#testing,
      closure: closures.ask,
      plan: (image, like) => plans.ask({ image, like }),
      leave: () => {
        closures.leave();
        plans.leave();
      },
    };
  }
}

/** The closures, which are kept from the garbage collector together, by the first image that needs it. */
async function closuresOf(
  definitions: readonly Definition[],
  { nix, gcRootDir, building }: RoundTools,
  realising: Gate,
): Promise<readonly Answered<ImageClosure>[]> {
  const inTurn: Building = (work) => realising.run(() => building(work));
  const all = await readImageClosures(nix, definitions, gcRootDir, inTurn);
  const found = all.flatMap((one) => ('answer' in one ? one.answer : []));
  const keep = onFirstUse(() => keepClosures(nix, found, gcRootDir));
  return all.map((one) => ('answer' in one ? { answer: { ...one.answer, keep } } : one));
}

function planAlike(images: readonly ToPlan[]): readonly Answered<StorePathInfo[][]>[] {
  const plans = new Map<ToPlan, Answered<StorePathInfo[][]>>();
  for (const alike of Map.groupBy(images, ({ like }) => like).values()) {
    try {
      const planned = planFleet(alike.map(({ image }) => image));
      for (const [at, one] of alike.entries()) plans.set(one, { answer: planned[at] ?? [] });
    } catch (error) {
      for (const one of alike) plans.set(one, { error });
    }
  }
  return images.map((one) => plans.get(one) ?? { answer: [] });
}
