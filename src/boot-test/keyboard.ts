/** What is typed on a console. */
interface Keyboard {
  readonly type: (text: string) => void;
  /** Ends `blocks` once all is taken. */
  readonly close: () => void;
  readonly blocks: AsyncIterable<Uint8Array>;
}

/** A queue between who types, who never waits, and the machine's standard input. */
export function createKeyboard(): Keyboard {
  const typed: Uint8Array[] = [];
  let isClosed = false;
  let wake = Promise.withResolvers<void>();
  async function* blocks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = typed.shift();
      if (next) yield next;
      else if (isClosed) return;
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  }
  return {
    type: (text) => {
      typed.push(Buffer.from(text));
      wake.resolve();
    },
    close: () => {
      isClosed = true;
      wake.resolve();
    },
    blocks: blocks(),
  };
}
