/** What comes of one question among several. */
export type Answered<A> = { readonly answer: A } | { readonly error: unknown };

interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/** One of those that are expected to ask. */
interface Asker<Q, A> {
  /** The answer, when all have asked or left. Who has asked before, or has left, is answered alone and at once. */
  ask(question: Q): Promise<A>;
  /** Says that no question comes; nothing after it has asked. */
  leave(): void;
}

/** Questions that one piece of work answers: it is done when each of those that are expected has asked or left. */
export class AskedTogether<Q, A> {
  readonly #answer: (questions: readonly Q[]) => Promise<readonly Answered<A>[]>;
  readonly #waiting: Waiting<Q, A>[] = [];
  #open: number;

  /** `answer` gives what comes of each question, in their order; what it rejects with is the answer to all. */
  constructor(expected: number, answer: (questions: readonly Q[]) => Promise<readonly Answered<A>[]>) {
    this.#open = expected;
    this.#answer = answer;
  }

  join(): Asker<Q, A> {
    let isIn = true;
    const leave = (): void => {
      if (!isIn) return;
      isIn = false;
      this.#open -= 1;
      if (this.#open === 0) void this.#answerAll(this.#waiting.splice(0));
    };
    const ask = (question: Q): Promise<A> =>
      new Promise((resolve, reject) => {
        const waiting = { question, resolve, reject };
        if (!isIn) return void this.#answerAll([waiting]);
        this.#waiting.push(waiting);
        leave();
      });
    return { ask, leave };
  }

  async #answerAll(all: readonly Waiting<Q, A>[]): Promise<void> {
    if (all.length === 0) return;
    try {
      const outcomes = await this.#answer(all.map(({ question }) => question));
      for (const [at, { resolve, reject }] of all.entries()) {
        const outcome = outcomes[at] ?? { error: new Error('a question was not answered') };
        if ('error' in outcome) reject(outcome.error);
        else resolve(outcome.answer);
      }
    } catch (error) {
      for (const { reject } of all) reject(error);
    }
  }
}
