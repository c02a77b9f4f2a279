/** What kind of thing went wrong, for scripts and tests; stable, unlike messages. */
export type ErrorCode =
  | 'input' // an input, flag or argument is missing or not legal
  | 'definition' // an image definition does not fit the schema or contradicts itself
  | 'evaluation' // nix could not evaluate the installable
  | 'build' // nix could not build a derivation
  | 'test' // a test of an image failed, or could not be run where that is required
  | 'system' // this machine cannot build for the system
  | 'reference' // an image reference, tag or destination is not legal
  | 'registry' // a registry refused or failed
  | 'credentials' // a registry wants other credentials, or a credential helper failed
  | 'digest' // bytes do not match the digest they were promised under
  | 'github' // GitHub refused or failed
  | 'aws' // AWS refused or failed, of what is no registry
  | 'handover' // a handover is missing, damaged or escapes its folder
  | 'platforms' // a platform is missing or doubled
  | 'file' // the file system refused (no space, no permission, no such file)
  | 'cancelled';

interface UserErrorOptions {
  readonly hint?: string | undefined;
  readonly docs?: string | undefined;
  readonly cause?: unknown;
}

/**
 * A failure that a user can fix. The message says what happened and where; the hint says what to do.
 * Everything else that is thrown is a bug and is shown with its stack.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** Page of the project's documentation, from `docs/`, with the heading that helps with this error: `tags.md#patterns`. */
  readonly docs: string | undefined;

  constructor(code: ErrorCode, message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.docs = options.docs;
  }
}

/** The user's own stop, as the error that is shown. */
export const cancelled = (cause?: unknown): UserError => new UserError('cancelled', 'cancelled', { cause });

/** Hints of several errors that are shown; more of them would not be read. */
const HINTS_SHOWN = 3;

/** What to do about several failures at once: each hint once; undefined where none has one. */
export const hintsOf = (errors: readonly UserError[]): string | undefined =>
  [...new Set(errors.flatMap(({ hint }) => hint ?? []))].slice(0, HINTS_SHOWN).join('\n') || undefined;

/** The page of an error as results in JSON name it: its path in the repository. */
export const docsData = ({ docs }: UserError): { readonly docs?: string } =>
  docs === undefined ? {} : { docs: `docs/${docs}` };

/** The page that helps with several failures at once; undefined where they have not all the same. */
export function docsOf(errors: readonly UserError[]): string | undefined {
  const [first, ...others] = new Set(errors.map(({ docs }) => docs));
  return others.length > 0 ? undefined : first;
}
