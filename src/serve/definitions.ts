import type { UserError } from '../core/error.ts';
import type { Evaluated } from '../nix/found-image.ts';

/** An image as it is defined now. */
export interface DefinedImage {
  readonly name: string;
  readonly tag: string | null;
  /** The system that matters most first. */
  readonly platforms: readonly Evaluated[];
  /** Systems whose image does not evaluate, although others do. */
  readonly failures: readonly UserError[];
}

/** Where images are defined. */
export interface Definitions {
  /** As a person writes it: `.`, `.#app`. */
  readonly text: string;
  /** Names of all images. Throws UserError `evaluation`. */
  names(): Promise<readonly string[]>;
  /** Evaluates one image; undefined where there is none of that name. Throws UserError. */
  evaluate(name: string): Promise<DefinedImage | undefined>;
  /** Changes when a file has changed that evaluations read; undefined where that cannot be known. */
  fingerprint(): Promise<string | undefined>;
}
