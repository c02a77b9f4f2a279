/**
 * Asks for many things at once: what is asked for before the program waits for anything else goes into one call of `ask`,
 * whose answers are in the order of the questions.
 */
export function batched<Q, A>(ask: (questions: readonly Q[]) => Promise<readonly A[]>): (question: Q) => Promise<A> {
  let waiting: Q[] | undefined;
  let answers: Promise<readonly A[]> | undefined;
  return async (question) => {
    if (waiting === undefined || answers === undefined) {
      const questions: Q[] = [];
      waiting = questions;
      answers = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        waiting = undefined;
        return ask(questions);
      });
    }
    const at = waiting.push(question) - 1;
    return (await answers)[at] as A;
  };
}
