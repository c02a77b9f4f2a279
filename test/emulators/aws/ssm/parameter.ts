import type { Settling } from '../cloud/settling.ts';

/** One version of a parameter. */
export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  readonly description: string | undefined;
  readonly at: number;
}

/** A parameter of an account in a region. */
export interface Parameter {
  readonly name: string;
  readonly owner: string;
  readonly type: string;
  readonly dataType: string;
  readonly tags: Map<string, string>;
  /** All versions, the newest last. */
  readonly versions: Settling<readonly ParameterVersion[]>;
  /** The numbers of versions, by labels. */
  readonly labels: Map<string, number>;
  /** The number of the last version, also of one that was dropped. */
  lastVersion: number;
  /** A value for images that is looked at later, and dropped if it names none. */
  checked: { readonly version: ParameterVersion; readonly at: number } | undefined;
}
