import type { Settling } from '../cloud/settling.ts';

/** One version of a parameter. */
export interface ParameterVersion {
  readonly version: number;
  readonly value: string;
  readonly description: string | undefined;
  readonly at: number;
  readonly labels: ReadonlySet<string>;
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
  /** A value of the type `aws:ec2:image` that is looked at later, and dropped if it names no image. */
  checked: { readonly version: ParameterVersion; readonly at: number } | undefined;
}
