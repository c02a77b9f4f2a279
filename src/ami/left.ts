import type { DeployTools } from './deployment.ts';

/** Something that could not be taken back. */
export interface Left {
  readonly region: string;
  readonly what: string;
  readonly why: string;
  /** What a person types to do it. */
  readonly commands: readonly string[];
}

export type UndoTools = Pick<DeployTools, 'cloud' | 'clock' | 'log' | 'journal' | 'discardUpload'>;
