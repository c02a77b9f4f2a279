import { randomUUID } from 'node:crypto';
import type { Effects } from '../core/effects.ts';
import type { ExecResult } from '../core/exec.ts';
import { type ImageTest, stepsOf, type TestStep } from '../definition/image-tests.ts';
import type { ContainerConfig } from '../oci/container-config.ts';
import type { OciPlatform } from '../oci/descriptor.ts';
import { askPort, expectation, type PortTools } from './ask-port.ts';
import { checkFiles } from './check-files.ts';
import { checkText, type Mismatch } from './check-text.ts';
import { type ContainerPlan, commandLine, createArgs, onlyLooks, runArgs, typed } from './container-args.ts';
import { createOutput, type Output } from './output.ts';
import { callRuntime, type Runtime, removeContainer } from './runtime.ts';
import { lastLines, type TestFailure, type TestResult } from './test-run.ts';

/** Milliseconds that the container program has to end once its container was taken from it. */
const GRACE = 10_000;

/** Milliseconds between two looks whether a container has its port. */
const PAUSE = 100;

interface TestTools extends PortTools, Pick<Effects, 'signal' | 'tempDir'> {
  readonly runtime: Runtime;
}

interface LoadedImage {
  readonly name: string;
  readonly platform: OciPlatform;
  readonly config: ContainerConfig;
  /** What the names of its volumes begin with. */
  readonly volumes: string;
}

/** One step of a test while it runs; most tests have one. */
interface Run {
  readonly step: TestStep;
  readonly plan: ContainerPlan;
  readonly output: Output;
  readonly tools: TestTools;
  /** Fires when the time limit is reached, or the run is stopped. */
  readonly over: AbortSignal;
}

/**
 * Runs one test in a container of its own, or one for each step, which are gone afterwards, whatever comes of it. A test that fails or reaches its
 * time limit is a result. Throws UserError `test` where the container program itself fails, `cancelled` when `signal` fires.
 */
export async function runTest(
  name: string,
  test: ImageTest,
  image: LoadedImage,
  tools: TestTools,
): Promise<TestResult> {
  const { runtime, clock, signal } = tools;
  const started = clock.now();
  const container = `nix-images-test-${randomUUID()}`;
  const [limit, done] = [new AbortController(), new AbortController()];
  clock.sleep(test.timeout * 1000, done.signal).then(
    () => limit.abort(),
    () => undefined,
  );
  const over = AbortSignal.any([signal, limit.signal]);
  // At once, and not when the program has ended: what ignores SIGINT would use up the seconds a cancelled job has left.
  const stopping = Promise.withResolvers<void>();
  over.addEventListener('abort', () => removeContainer(runtime, container).then(stopping.resolve), { once: true });
  const { volumes, platform } = image;
  const plan = { container, image: image.name, platform, volumes };
  let failure: TestFailure | null = null;
  try {
    const steps = stepsOf(test);
    for (const [at, step] of steps.entries()) {
      // The container before has the name.
      if (at > 0) await removeContainer(runtime, container);
      const run: Run = { step, plan, output: createOutput(), tools, over };
      const mismatch = await carryOut(run).catch((error: unknown) => {
        if (signal.aborted || !limit.signal.aborted) throw error;
        return undefined;
      });
      signal.throwIfAborted();
      const late = limit.signal.aborted
        ? { expected: mismatch?.expected ?? `an end within ${test.timeout} s`, got: lateText(test, mismatch) }
        : undefined;
      const wrong = late ?? mismatch;
      if (!wrong) continue;
      const command = `${words(step, image)}${steps.length > 1 ? ` (step ${at + 1} of ${steps.length})` : ''}`;
      failure = { command, ...wrong, output: lastLines(run.output.both()) };
      break;
    }
    // A machine's clock may be set back meanwhile.
    const milliseconds = Math.max(0, Math.round(clock.now() - started));
    return { name, passed: failure === null, milliseconds, failure };
  } finally {
    done.abort();
    if (over.aborted) await stopping.promise;
    await removeContainer(runtime, container);
  }
}

const lateText = ({ timeout }: ImageTest, mismatch: Mismatch | undefined): string =>
  mismatch ? `${mismatch.got} within ${timeout} s` : `no end within its time limit, so it was ended`;

const words = (step: TestStep, { config }: LoadedImage): string =>
  onlyLooks(step) ? 'none: the image is only looked into' : typed(commandLine(step, config));

async function carryOut(run: Run): Promise<Mismatch | undefined> {
  const { step, plan, tools, over } = run;
  // Between two steps, where nothing was there to be ended.
  if (over.aborted) return undefined;
  if (onlyLooks(step)) {
    await callRuntime(tools.runtime, createArgs(step, tools.runtime, plan), over);
    return lookAtFiles(run);
  }
  if (step.port) return tryPort(run);
  const ended = await runContainer(run);
  if (over.aborted) return undefined;
  const mismatch =
    checkExit(step, ended, tools.runtime) ??
    (step.stdout ? checkText('stdout', step.stdout, run.output.stdout()) : undefined) ??
    (step.stderr ? checkText('stderr', step.stderr, ended.stderr) : undefined);
  return mismatch ?? lookAtFiles(run);
}

const lookAtFiles = ({ step, plan, tools, over }: Run): Promise<Mismatch | undefined> =>
  checkFiles({ ...tools, container: plan.container }, step.files, over);

/** Runs the container to its end. The time limit takes the container away; the program that waits for it ends then. */
async function runContainer({ step, plan, output, tools, over }: Run): Promise<ExecResult> {
  const { runtime, clock } = tools;
  const [stuck, ended] = [new AbortController(), new AbortController()];
  const watch = (): void => {
    clock.sleep(GRACE, ended.signal).then(
      () => stuck.abort(),
      () => undefined,
    );
  };
  over.addEventListener('abort', watch, { once: true });
  const { readStdout: onStdout, onStderrLine } = output;
  try {
    return await runtime.run(runArgs(step, runtime, plan), {
      ...(step.stdin === null ? {} : { input: step.stdin }),
      onStdout,
      onStderrLine,
      signal: stuck.signal,
    });
  } finally {
    ended.abort();
    over.removeEventListener('abort', watch);
  }
}

const MEANING: Readonly<Record<number, string>> = {
  125: 'it could not be run',
  126: 'it is not a program for this container',
  127: 'a program was not found',
  137: 'it was killed',
};

function checkExit({ exitCode }: TestStep, ended: ExecResult, { program }: Runtime): Mismatch | undefined {
  if (ended.exitCode === exitCode) return undefined;
  const meaning = MEANING[ended.exitCode];
  const got = `exit code ${ended.exitCode}${meaning ? ` (${program}: ${meaning})` : ''}`;
  return { expected: `exit code ${exitCode}`, got };
}

/** Asks the port while the command runs, then looks at the files, and leaves the end of the command to the caller. */
async function tryPort(run: Run): Promise<Mismatch | undefined> {
  const { step, plan, tools, over } = run;
  const port = step.port;
  if (!port) return undefined;
  const running = runContainer(run);
  const gone = new AbortController();
  const ended = running.then(
    ({ exitCode }): Mismatch => {
      gone.abort();
      return { expected: expectation(port), got: `the end of the command before, with exit code ${exitCode}` };
    },
    (error: unknown) => {
      gone.abort();
      throw error;
    },
  );
  ended.catch(() => undefined);
  const stop = AbortSignal.any([over, gone.signal]);
  const asking = async (): Promise<Mismatch | undefined> => {
    const hostPort = await publishedPort(run, port.number, stop);
    const mismatch =
      hostPort === undefined
        ? { expected: expectation(port), got: 'no answer' }
        : await askPort(port, hostPort, tools, stop);
    // A command that has ended is why nobody answers.
    if (mismatch && gone.signal.aborted && !over.aborted) return ended;
    return mismatch ?? lookAtFiles(run);
  };
  try {
    return await asking();
  } finally {
    await removeContainer(tools.runtime, plan.container);
    await running.catch(() => undefined);
  }
}

/** The port of this machine under which the container's is reached; undefined when `signal` fires before there is one. */
async function publishedPort({ plan, tools }: Run, number: number, signal: AbortSignal): Promise<number | undefined> {
  const { runtime, clock } = tools;
  while (!signal.aborted) {
    const { stdout } = await runtime.run(['port', plan.container, `${number}/tcp`]);
    const found = /:(\d+)\s*$/m.exec(stdout);
    if (found) return Number(found[1]);
    await clock.sleep(PAUSE, signal).catch(() => undefined);
  }
  return undefined;
}
