import type { Step } from './step.ts';

/** What became of the steps of a plan. */
export interface StepsRun {
  readonly done: ReadonlySet<string>;
  readonly failed: readonly FailedStep[];
  /** Not begun, because what they need failed or the run was stopped. */
  readonly skipped: readonly Step[];
}

export interface FailedStep {
  readonly step: Step;
  readonly error: unknown;
}

/**
 * Carries out steps as soon as what they need is done. A failure that is more than its region's own starts nothing more and fires the signal
 * that `work` gets; it ends when what is under way has ended, so that nothing goes on behind the caller's back and no answer is lost.
 */
export async function runSteps(
  steps: readonly Step[],
  work: (step: Step, signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
): Promise<StepsRun> {
  const own = new AbortController();
  const signal = AbortSignal.any([own.signal, stop]);
  const done = new Set<string>();
  const failed: FailedStep[] = [];
  const waiting = new Set(steps);
  const running = new Set<Promise<void>>();
  const isReady = ({ needs }: Step): boolean => needs.every((need) => done.has(need));

  const start = (step: Step): void => {
    waiting.delete(step);
    const ended = work(step, signal)
      .then(
        () => void done.add(step.id),
        (error: unknown) => {
          failed.push({ step, error });
          if (!step.mayFail && !step.isFinishing) own.abort();
        },
      )
      .finally(() => running.delete(ended));
    running.add(ended);
  };

  for (;;) {
    if (!signal.aborted) for (const step of [...waiting]) if (isReady(step)) start(step);
    if (running.size === 0) break;
    await Promise.race(running);
  }
  return { done, failed, skipped: [...waiting] };
}
