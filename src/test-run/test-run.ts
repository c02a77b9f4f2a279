import { z } from 'zod';
import { testNameSchema } from '../definition/image-tests.ts';

/** How many characters of a failed test's output are shown: a stack trace, not a log. */
const SHOWN_OUTPUT = 4000;

/** What a failed test stated and found. */
export interface TestFailure {
  /** What ran, as a person would type it; what stands for the image's own command otherwise. */
  readonly command: string;
  readonly expected: string;
  readonly got: string;
  /** The last lines of standard output and standard error together; empty where there were none. */
  readonly output: string;
}

export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  readonly milliseconds: number;
  readonly failure: TestFailure | null;
}

/** What became of the tests of an image for one system. */
export interface TestRun {
  /** Program and version that ran them, such as `podman 4.3.1`; null where none did. */
  readonly runtime: string | null;
  /** Why none was run; null where all were. */
  readonly notRun: string | null;
  readonly tests: readonly TestResult[];
  /** Names of the tests that were not run. */
  readonly skipped: readonly string[];
}

/** The testRun of an image that declares no tests. */
export const NO_TEST_RUN: TestRun = { runtime: null, notRun: null, tests: [], skipped: [] };

/** A line of plain words: it is in summaries, where a stranger's Markdown has no place. */
const lineSchema = z.string().regex(/^[\w .,:+~()'-]{1,200}$/, 'expected one line of plain words');

/** What a handover says of the tests: that all passed, or why they were not run; one with a failed test is never left. */
export const testRecordSchema = z.object({
  runtime: lineSchema.nullable(),
  notRun: lineSchema.nullable(),
  passed: z.array(z.object({ name: testNameSchema, milliseconds: z.int().nonnegative() })),
  skipped: z.array(testNameSchema),
});

export type TestRecord = z.infer<typeof testRecordSchema>;

/** The record of an image that declares no tests. */
export const NO_TESTS: TestRecord = { runtime: null, notRun: null, passed: [], skipped: [] };

export const failedTests = ({ tests }: TestRun): readonly (TestResult & { readonly failure: TestFailure })[] =>
  tests.flatMap((test) => (test.failure === null ? [] : [{ ...test, failure: test.failure }]));

/** A testRun in which nothing failed, as a handover keeps it. */
export const testRecord = ({ runtime, notRun, tests, skipped }: TestRun): TestRecord => ({
  runtime,
  notRun,
  passed: tests.map(({ name, milliseconds }) => ({ name, milliseconds })),
  skipped: [...skipped],
});

export const secondsText = (milliseconds: number): string => (milliseconds / 1000).toFixed(1);

/** The end of a text, from the beginning of a line on. */
export function lastLines(text: string): string {
  const trimmed = text.trimEnd();
  if (trimmed.length <= SHOWN_OUTPUT) return trimmed;
  const tail = trimmed.slice(-SHOWN_OUTPUT);
  const lineEnd = tail.indexOf('\n');
  return `…\n${lineEnd < 0 ? tail : tail.slice(lineEnd + 1)}`;
}
