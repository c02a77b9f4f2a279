import type { UserError } from '../core/error.ts';
import type { Prunable } from './prunable.ts';

/** What became of something that was to go. */
export type Removal =
  | { readonly kind: 'removed' }
  /** Somebody else was faster. */
  | { readonly kind: 'gone' }
  /** It is still there, and is to be: why. */
  | { readonly kind: 'kept'; readonly why: string }
  /** It goes in steps, of which this was one, such as `deprecate`; it is still there. */
  | { readonly kind: 'staged'; readonly step: string };

/** What a place says of something that the policy lets go: why it stays for now, or what is done to it instead of removing it. */
export type Notice = { readonly stays: string } | { readonly step: string; readonly why?: string };

export const REMOVED: Removal = { kind: 'removed' };
export const GONE: Removal = { kind: 'gone' };
export const staged = (step: string): Removal => ({ kind: 'staged', step });
export const keptBecause = (why: string): Removal => ({ kind: 'kept', why });

/**
 * A place that things are removed from: a repository of a registry, a package at GitHub, a layout, the caches of a repository. What is to go is decided above,
 * by rules that know no kinds of places. Methods throw UserError.
 */
export interface PrunePlace {
  /** As a person writes it. */
  readonly name: string;
  /** What is in it, in the singular. Default: `manifest`. */
  readonly noun?: string;
  /** Whether what is decided once stays so, since removals look at each item themselves: then nothing is listed twice. */
  readonly isSteady?: boolean;
  /** Everything that is there, read anew by each call. */
  list(): Promise<readonly Prunable[]>;
  /** What stands against removing these by now, by their ids: who uses them, times of grace. Asked only of what is to go. */
  notices?(going: readonly Prunable[]): Promise<ReadonlyMap<string, Notice>>;
  /** What of the place could not be looked at, so that nothing was done about it. */
  unread?(): UserError | undefined;
  /** Throws UserError where nothing can be removed, before anything is. */
  checkMayRemove(): Promise<void>;
  /** Says which names are to go, whatever they mean by then: where another run removes one of them, that is as it should be. */
  condemn?(names: readonly string[]): void;
  /** Removes an item with all its names. Looks again first: a name that it got since it was listed keeps it. */
  removeItem(item: Prunable): Promise<Removal>;
  /** Takes names from an item that stays. Those that mean something else by now are left alone. */
  removeNames(item: Prunable, names: readonly string[]): Promise<Removal>;
  /** Does what is left when names or items have been removed. */
  finish(): Promise<void>;
  /** Puts an item back that this run has removed, because something that is new by now needs it. */
  putBack?(item: Prunable): Promise<void>;
  close(): Promise<void>;
}
