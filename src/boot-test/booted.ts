import type { Clock } from '../core/retry.ts';
import type { ExpectedText } from '../definition/image-tests.ts';
import { describeText, type Mismatch } from '../test-run/check-text.ts';
import { bootFailure } from './boot-failure.ts';
import type { ConsoleView } from './console.ts';
import { findText } from './find-text.ts';
import type { Machine } from './machine.ts';

/** Milliseconds between two looks at the console. */
const PAUSE = 100;

/** Milliseconds in which what follows a failure comes too: the trace of a panic. */
const SETTLE = 1000;

/** Characters before what was looked at already in which a text that must not come may have begun. */
const OVERLAP = 8192;

/** A machine while a test of it goes on. */
export interface Booted {
  readonly machine: Pick<Machine, 'view' | 'type' | 'ended' | 'stuck'>;
  /** Texts that must not come. */
  readonly never: readonly ExpectedText[];
  readonly clock: Clock;
  /** Fires when the time limit is reached, or the run is stopped. */
  readonly over: AbortSignal;
  /** Seconds until then, for messages. */
  readonly timeout: number;
}

/** What was waited for, or what came instead. */
export type Waited<T> = { readonly found: T } | { readonly mismatch: Mismatch };

/** What a look at the console gives: undefined to go on waiting. */
type Look<T> = (view: ConsoleView) => Waited<T> | undefined;

/**
 * Looks at the console again and again until `look` gives something, or nothing can come any more: a text that must not
 * come, a panic, the end of the machine, or of the time. `expected` says in messages what is waited for.
 */
export async function waitFor<T>(booted: Booted, expected: string, look: Look<T>): Promise<Waited<T>> {
  const { machine, clock, over } = booted;
  const mismatch = (got: string): Waited<T> => ({ mismatch: { expected, got } });
  const isForbidden = forbidden(booted.never);
  let seen = -1;
  for (;;) {
    // Before the console, so that all is there that came before the end.
    const [ended, isOver] = [machine.ended(), over.aborted];
    const view = machine.view();
    const size = view.start + view.text.length;
    if (size !== seen) {
      seen = size;
      const wrong = isForbidden(view);
      if (wrong) return { mismatch: wrong };
    }
    const found = look(view);
    if (found) return found;
    const broken = bootFailure(view.text);
    if (broken !== undefined) {
      await clock.sleep(SETTLE, over).catch(() => undefined);
      return mismatch(broken);
    }
    if (ended) return mismatch('the end of the machine, which switched itself off or restarted');
    const stuck = machine.stuck();
    if (stuck !== undefined) return mismatch(`a machine that QEMU cannot run any further (${stuck})`);
    if (isOver) return mismatch(`${nothing(view)} within ${booted.timeout} s`);
    await clock.sleep(PAUSE, over).catch(() => undefined);
  }
}

/** A console without a word means most often that the kernel was not told of it. */
const nothing = ({ text }: ConsoleView): string =>
  text.split('\n').some((line) => line.trim() !== '' && !/^BdsDxe: |^UEFI firmware /.test(line))
    ? 'none'
    : 'nothing but the firmware on the serial console (console=ttyS0 or console=ttyAMA0 on the command line of the kernel puts it there)';

/** Finds what must not come in what is new. */
function forbidden(never: readonly ExpectedText[]): (view: ConsoleView) => Mismatch | undefined {
  let from = 0;
  return (view) => {
    for (const text of never) {
      const found = findText(text, view, from);
      if (found === undefined) continue;
      const expected = `no ${describeText('console', text)}`;
      return { expected, got: found === 'endless' ? ENDLESS : 'that text' };
    }
    from = Math.max(0, view.start + view.text.length - OVERLAP);
    return undefined;
  };
}

const ENDLESS = 'an expression that found no end within 2 s';

/** Waits for texts, each after the one before. */
export async function followConsole(booted: Booted, texts: readonly ExpectedText[]): Promise<Mismatch | undefined> {
  let from = 0;
  for (const text of texts) {
    const expected = describeText('console', text);
    const outcome = await waitFor(booted, expected, (view) => {
      const found = findText(text, view, from);
      if (found === 'endless') return { mismatch: { expected, got: ENDLESS } };
      return found === undefined ? undefined : { found };
    });
    if ('mismatch' in outcome) return outcome.mismatch;
    from = outcome.found;
  }
  return undefined;
}

/**
 * A line that getty asks a name with, after the name of the host where it says one. `Last login: …` is what comes after it.
 */
const PROMPT = /^(?!Last )(?:[\w.()-]+ )?login: /m;

/** Where the first login prompt from `from` on ends. */
export const promptIn = (view: ConsoleView, from: number): number | undefined => endOf(PROMPT, view, from);

/** Waits for a login prompt from `from` on; gives where it ends. */
export const waitForPrompt = (booted: Booted, from: number): Promise<Waited<number>> =>
  waitFor(booted, 'a login prompt on the console', (view) => {
    const found = promptIn(view, from);
    return found === undefined ? undefined : { found };
  });

/** Where the first match from `from` on ends. */
export function endOf(pattern: RegExp, { text, start }: ConsoleView, from: number): number | undefined {
  const expression = new RegExp(pattern.source, `${pattern.flags}g`);
  expression.lastIndex = Math.max(0, from - start);
  const found = expression.exec(text);
  return found ? start + found.index + found[0].length : undefined;
}

/** What came from `from` on. */
export const textFrom = ({ text, start }: ConsoleView, from: number): string => text.slice(Math.max(0, from - start));
