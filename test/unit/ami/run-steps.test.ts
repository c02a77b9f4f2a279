import { expect, test } from 'vitest';
import { runSteps } from '../../../src/ami/run-steps.ts';
import type { Step } from '../../../src/ami/step.ts';

const step = (id: string, needs: string[] = [], more: Partial<Step> = {}): Step => ({
  ...{ id, needs, kind: 'wait', region: 'us-east-1', disk: 0, mayFail: false, isFinishing: false, subject: undefined },
  ...{ undo: '', estimate: { requests: 0, bytes: 0, seconds: 0, dollars: 0 } },
  ...more,
});

const never = new AbortController().signal;

const untilStopped = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

const idsOf = (steps: readonly Step[]): string[] => steps.map(({ id }) => id);

test('the first failure stops what is under way, is waited out, and nothing more begins', async () => {
  const log: string[] = [];
  const steps = [step('fails'), step('long'), step('after it', ['long']), step('free', ['quick']), step('quick')];
  const run = await runSteps(
    steps,
    async ({ id }, signal) => {
      log.push(id);
      if (id === 'fails') throw new Error('no');
      if (id !== 'long') return;
      await untilStopped(signal).catch(async (error: unknown) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        log.push('long has ended');
        throw error;
      });
    },
    never,
  );
  expect(log).toEqual(['fails', 'long', 'quick', 'long has ended']);
  expect(run.failed.map(({ step: { id } }) => id)).toEqual(['fails', 'long']);
  expect(idsOf(run.skipped)).toEqual(['after it', 'free']);
  expect([...run.done]).toEqual(['quick']);
});

test.each(['mayFail', 'isFinishing'] as const)('a failure that is %s stops what needs it alone', async (kind) => {
  const steps = [
    step('fails', [], { [kind]: true }),
    step('after it', ['fails']),
    step('other'),
    step('last', ['other']),
  ];
  const run = await runSteps(
    steps,
    async ({ id }, signal) => {
      await new Promise((resolve) => setTimeout(resolve, id === 'other' ? 5 : 0));
      signal.throwIfAborted();
      if (id === 'fails') throw new Error('no');
    },
    never,
  );
  expect([...run.done]).toEqual(['other', 'last']);
  expect(idsOf(run.skipped)).toEqual(['after it']);
});

test('a stop from outside reaches what is under way', async () => {
  const stop = new AbortController();
  const run = await runSteps(
    [step('long'), step('next', ['long'])],
    async (_, signal) => {
      setTimeout(() => stop.abort(new Error('stopped')), 1);
      await untilStopped(signal);
    },
    stop.signal,
  );
  expect([run.failed.length, idsOf(run.skipped)]).toEqual([1, ['next']]);
});
