import { Gate } from '../../core/gate.ts';

/** When a transfer may move its bytes. */
export interface Turn {
  readonly comes: Promise<void>;
  /** Lets the next one have its turn; to be called as often as one likes. */
  readonly isOver: () => void;
}

/** One has its turn or unpacks what came in it; the other one starts, waits for its turn, or has it. */
const PROCESSES = 2;

/**
 * Who may move bytes when: one after another, for 64 MB take 130 MB of memory while they come. Meanwhile the next one starts, which
 * takes 50 MB and as long as a fifth of a pack's bytes.
 */
export class TransferQueue {
  readonly #processes = new Gate(PROCESSES);
  readonly #turns = new Gate(1);

  /** Runs `transfer` after all but one of those before, and lets it have its turn after all of them. The turn ends with it at the latest. */
  async run<T>(transfer: (turn: Turn) => Promise<T>): Promise<T> {
    return await this.#processes.run(async () => {
      const turn = this.#turns.enter();
      const isOver = (): void => void turn.then((leave) => leave());
      try {
        return await transfer({ comes: turn.then(() => undefined), isOver });
      } finally {
        isOver();
      }
    });
  }
}
