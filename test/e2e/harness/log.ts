import { z } from 'zod';

/** A line of `act --json`, as far as tests look at it. */
const LINE = z.object({
  msg: z.string(),
  level: z.string().optional(),
  job: z.string().optional(),
  jobID: z.string().optional(),
  matrix: z.record(z.string(), z.unknown()).nullish(),
  stage: z.string().optional(),
  step: z.string().optional(),
  stepResult: z.string().optional(),
  jobResult: z.string().optional(),
  raw_output: z.boolean().optional(),
  command: z.string().optional(),
  name: z.string().optional(),
  content: z.string().optional(),
  arg: z.string().optional(),
  kvPairs: z.record(z.string(), z.string()).nullish(),
});
type Line = z.infer<typeof LINE>;

/** `::error::`, `::warning::` or `::notice::`. */
export interface Annotation {
  readonly level: string;
  readonly title: string | undefined;
  readonly text: string;
}

export interface StepRun {
  readonly name: string;
  /** `Pre`, `Main` or `Post`. */
  readonly stage: string;
  readonly result: string;
}

/** One job of a run; a matrix has several of the same id. */
export interface JobRun {
  readonly id: string;
  /** `CALLER/WORKFLOW/JOB` of a job of a reusable workflow, else `WORKFLOW/JOB`, with the names that people see. */
  readonly title: string;
  readonly matrix: Readonly<Record<string, unknown>>;
  /** Undefined when the job did not come to an end, as one that is skipped. */
  readonly result: 'success' | 'failure' | undefined;
  readonly steps: readonly StepRun[];
  /** What the steps printed, workflow commands left out. */
  readonly output: string;
  /** The outputs of its steps; of two with one name the last. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly annotations: readonly Annotation[];
  /** The job's summary, as the steps wrote it. */
  readonly summary: string;
}

const ANNOTATIONS = ['error', 'warning', 'notice'];

const readLine = (text: string): Line | undefined => {
  if (!text.startsWith('{')) return undefined;
  const parsed = LINE.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
};

const annotationOf = ({ command = '', arg = '', kvPairs }: Line): Annotation[] =>
  ANNOTATIONS.includes(command) ? [{ level: command, title: kvPairs?.title, text: arg }] : [];

/** From the steps: act gives all jobs of a matrix one result. (So `continue-on-error` counts as a failure here.) */
const resultOf = (lines: readonly Line[]): JobRun['result'] => {
  if (!lines.some(({ jobResult }) => jobResult !== undefined)) return undefined;
  return lines.some(({ stepResult }) => stepResult === 'failure') ? 'failure' : 'success';
};

const jobOf = (lines: readonly Line[]): JobRun => ({
  id: lines[0]?.jobID ?? '',
  title: lines[0]?.job?.trim() ?? '',
  matrix: lines.find(({ matrix }) => matrix !== undefined && matrix !== null)?.matrix ?? {},
  result: resultOf(lines),
  steps: lines
    .filter(({ stepResult, stage }) => stepResult !== undefined && stage !== undefined)
    .map(({ step = '', stage = '', stepResult = '' }) => ({ name: step, stage, result: stepResult })),
  output: lines
    .filter((line) => line.raw_output === true)
    .map(({ msg }) => msg)
    .join(''),
  outputs: Object.fromEntries(
    lines.flatMap(({ command, name, arg = '' }) =>
      command === 'set-output' && name !== undefined ? [[name, arg]] : [],
    ),
  ),
  annotations: lines.flatMap(annotationOf),
  summary: lines
    .filter(({ command }) => command === 'summary')
    .map(({ content = '' }) => content)
    .join(''),
});

/** The jobs in the output of `act --json`, in the order in which they began. */
export const readJobs = (output: string): JobRun[] => {
  const jobs = new Map<string, Line[]>();
  for (const text of output.split('\n')) {
    const line = readLine(text);
    if (line?.job === undefined || line.jobID === undefined) continue;
    const lines = jobs.get(line.job) ?? [];
    lines.push(line);
    jobs.set(line.job, lines);
  }
  return [...jobs.values()].map(jobOf);
};
