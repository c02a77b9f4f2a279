import { Gate } from '../core/gate.ts';
import type { StorePathInfo } from '../definition/closure.ts';
import { type FleetImage, planFleet } from '../definition/fleet-plan.ts';

/** Images that Nix is asked about at once: each question is a process, which uses one core. */
const ASKED_AT_ONCE = 4;

/** Images that are written at once: while one waits for its registry, another one's layers are made. */
const WRITTEN_AT_ONCE = 4;

interface Waiting {
  readonly image: FleetImage;
  readonly like: string;
  readonly resolve: (layers: StorePathInfo[][]) => void;
  readonly reject: (error: unknown) => void;
}

/** An image among those that are built together. */
export interface RoundMember {
  readonly asking: Gate;
  /** Nix builds for one image after another: it keeps the cores busy by itself. */
  readonly realising: Gate;
  readonly writing: Gate;
  /** Containers try one image after another, too. */
  readonly testing: Gate;
  /**
   * The layers of its store paths, when every member has asked for its own or has left. Only images that are `like` each other, and so may have
   * layers in common, are planned together. Once the round is over, an image is planned alone.
   */
  plan(image: FleetImage, like: string): Promise<StorePathInfo[][]>;
  /** Says that it will not ask, for it has failed or has no layers to plan; nothing after it has asked. */
  leave(): void;
}

/** Images that one process builds at the same time, so that their layers are planned together. */
export class BuildRound {
  readonly #asking = new Gate(ASKED_AT_ONCE);
  readonly #realising = new Gate(1);
  readonly #writing = new Gate(WRITTEN_AT_ONCE);
  readonly #testing = new Gate(1);
  readonly #waiting: Waiting[] = [];
  #open: number;

  /** A round of so many members; each of them must join. */
  constructor(members: number) {
    this.#open = members;
  }

  join(): RoundMember {
    let isIn = true;
    const leave = (): void => {
      if (!isIn) return;
      isIn = false;
      this.#open -= 1;
      this.#planWhenAll();
    };
    const plan = (image: FleetImage, like: string): Promise<StorePathInfo[][]> => {
      if (!isIn) return Promise.resolve(planFleet([image])[0] ?? []);
      return new Promise((resolve, reject) => {
        this.#waiting.push({ image, like, resolve, reject });
        leave();
      });
    };
    return {
      asking: this.#asking,
      realising: this.#realising,
      writing: this.#writing,
      testing: this.#testing,
      plan,
      leave,
    };
  }

  #planWhenAll(): void {
    if (this.#open > 0) return;
    for (const alike of Map.groupBy(this.#waiting.splice(0), ({ like }) => like).values()) {
      try {
        const plans = planFleet(alike.map(({ image }) => image));
        for (const [at, { resolve }] of alike.entries()) resolve(plans[at] ?? []);
      } catch (error) {
        for (const { reject } of alike) reject(error);
      }
    }
  }
}
