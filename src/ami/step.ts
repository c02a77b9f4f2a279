import { z } from 'zod';

/** What carrying out a step takes. */
export interface Estimate {
  readonly requests: number;
  /** That leave this machine. */
  readonly bytes: number;
  readonly seconds: number;
  /** Once, without what storing it costs by the month. */
  readonly dollars: number;
}

const STEP_KINDS = [
  'remove',
  'snapshot',
  'register',
  'copy',
  'wait',
  'smoke-test',
  'snapshot-permission',
  'launch-permission',
  'deprecate',
  'parameter',
  'tag',
  'protect',
] as const;

/** Checks the kind of a step in a journal. */
export const stepKindSchema = z.enum(STEP_KINDS);

export type StepKind = z.output<typeof stepKindSchema>;

/** One thing that is done to one AMI in one region: plain data, so that it is shown as it is carried out. */
export interface Step {
  /** Unique in its plan: `copy eu-central-1 team/server x86_64-linux`. */
  readonly id: string;
  readonly kind: StepKind;
  readonly region: string;
  /** Number of the disk among those that are wanted. */
  readonly disk: number;
  /** Steps that must have been carried out before. */
  readonly needs: readonly string[];
  /** Whether its failure is one of its region alone. */
  readonly mayFail: boolean;
  /**
   * Whether everybody can see by now what was made, so that a failure from here on is one of the run and takes nothing back: the next
   * run does the rest.
   */
  readonly isFinishing: boolean;
  /** Name of a parameter, or id of an AMI that is removed. */
  readonly subject: string | undefined;
  /** What takes it back, in words. */
  readonly undo: string;
  readonly estimate: Estimate;
}
