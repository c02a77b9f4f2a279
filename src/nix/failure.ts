import { UserError } from '../core/error.ts';
import { shellWord } from '../core/shell.ts';
import { needsLock } from './lock-file.ts';

/** Lines of a message that are shown; what is longer is a trace that slipped through. */
const MESSAGE_LINES = 40;

const isNoise = (line: string): boolean =>
  /^\s*(…|at [/«]|\d+\||\|)/.test(line) ||
  /\(use '--show-trace'|stack trace truncated/.test(line) ||
  /^(warning|trace|evaluating|copying|fetching|unpacking|these \d+|this derivation)\b/.test(line.trim());

const withoutIndent = (lines: readonly string[]): readonly string[] => lines.map((line) => line.trim());

/**
 * What nix itself says went wrong, from its standard error: the last `error:`, without traces, excerpts of source and
 * warnings. Newer versions print an outer error first and the cause last, older ones the cause first.
 */
export function nixMessage(stderr: string): string {
  const lines = stderr.trimEnd().split('\n');
  const errors = lines.flatMap((line, index) => (/^\s*error: \S/.test(line) ? [index] : []));
  const start = errors.at(-1) ?? Math.max(lines.length - MESSAGE_LINES, 0);
  const said = withoutIndent(lines.slice(start).filter((line) => !isNoise(line))).filter((line) => line !== '');
  return (
    said
      .slice(0, MESSAGE_LINES)
      .join('\n')
      .replace(/^error: /, '') || 'nix said nothing'
  );
}

/** Of one line, without blanks around it: `at FILE:LINE:COLUMN:`. */
const PLACE = /^at (?:\/nix\/store\/[^/]*\/)?([^\s«»]+):(\d+):(\d+):?$/;

/** Longer lines are a flake's own text, not a place in one: a path has 4096 bytes at most. */
const PLACE_LENGTH = 5000;

/** Where in the source the last error is, as ` (at FILE:LINE:COLUMN)` of the flake; empty where nix does not say. */
function placeIn(stderr: string): string {
  for (const line of stderr.slice(Math.max(0, stderr.lastIndexOf('error: '))).split('\n')) {
    const [, file, row, column] = (line.length <= PLACE_LENGTH && PLACE.exec(line.trim())) || [];
    if (file !== undefined) return ` (at ${file}:${row}:${column})`;
  }
  return '';
}

const UNREACHABLE =
  /unable to download|Couldn't resolve host|Could not resolve host|Failed to connect|Failed to fetch git repository|cannot find flake|unable to fetch|unable to access/i;
const NO_FLAKE =
  /getting status of '([^']+)'|path '([^']+)' does not exist|is not a flake|could not find a flake\.nix|is not tracked by Git/;

/** A flake without `./` is not a folder to nix, even where a folder of that name is at hand: it is ID, ID/REF or ID/REF/REV. */
const REGISTRY_NAME = /^[A-Za-z][\w-]*(?:\/[\w.-]+){0,2}(?=[#?]|$)/;

/** What git and libgit2 say of a checkout of another user; old git says only how it is used, and ends with 129. */
const NOT_OWNED = /dubious ownership|is not owned by current user|program 'git' failed with exit code 129/;
const OWNED_FOLDER = /(?:repository at|repository path) '([^'\n]+)'/;
const LOCAL_FLAKE = /^(?:git\+file:\/\/|path:)?(\/[^#?]+)/;

/** The command that lets this user read a checkout of another one. */
function safeDirectory(what: string, stderr: string): string {
  const folder = OWNED_FOLDER.exec(stderr)?.[1] ?? LOCAL_FLAKE.exec(what)?.[1];
  return (
    'The checkout belongs to another user, as in containers of workflow jobs. Let git read it: ' +
    `git config --global --add safe.directory ${folder === undefined ? '"$PWD"' : shellWord(folder)}`
  );
}

/**
 * Whether Nix says that an expression can be evaluated only after something has been built, which it was told not to do
 * (setting `allow-import-from-derivation`, the same words since Nix 2.4).
 */
export const needsImport = (message: string): boolean => message.includes('allow-import-from-derivation');

/** What flakes see of a repository. */
const UNTRACKED =
  'Files that git does not track are not in a flake (git add them), nor are submodules (git+file:.?submodules=1).';

/** What to do about a message of Nix that says what is missing only; undefined where it says enough. */
export function wayOut(message: string): string | undefined {
  if (needsImport(message)) return 'With allow-import-from-derivation it is built and looked at.';
  return NO_FLAKE.test(message) ? UNTRACKED : undefined;
}

/** What Nix 2.8 says of a local folder that it has put into a URL as it is. */
const NOT_A_URL = /'(?:git\+)?(?:file:\/\/|path:)?(\/[^'\n]*)' is not a valid URL/;

/** Whether it is the folder that this Nix cannot read as a URL, and not what follows it. */
function isOddFolder(stderr: string): boolean {
  const [folder = ''] = NOT_A_URL.exec(stderr)?.[1]?.split(/[#?]/) ?? [];
  return /[^\w./@+~:-]/.test(folder);
}

function hintFor(what: string, stderr: string, words: readonly string[]): string {
  const [name] = REGISTRY_NAME.exec(what) ?? [];
  if (name !== undefined && UNREACHABLE.test(stderr)) {
    return `Nix looks ${name} up in its flake registries; for the folder of that name, write ./${name}.`;
  }
  if (isOddFolder(stderr)) {
    return 'This Nix cannot read a flake in a folder whose path has a space, a percent sign or a letter outside ASCII: use a newer Nix (2.26 can), or move the folder.';
  }
  if (NOT_OWNED.test(stderr)) return safeDirectory(what, stderr);
  if (UNREACHABLE.test(stderr)) {
    return 'The flake or one of its inputs cannot be fetched: check the network and flake.lock, or pass --override-input.';
  }
  if (needsLock(stderr)) {
    return 'flake.lock is missing or out of date: run nix flake lock, and commit the file.';
  }
  if (needsImport(stderr)) {
    return 'It imports what must be built first: pass --allow-import-from-derivation (in a workflow, the input of that name).';
  }
  if (NO_FLAKE.test(stderr)) return `Check the path of the flake or file. ${UNTRACKED}`;
  return `To see where it comes from, run: nix eval --show-trace ${words.map(shellWord).join(' ')}`;
}

/** An evaluation of `what` that failed, in Nix's own words. `words` are the arguments of `nix eval` that show the same. */
export const evaluationFailure = (what: string, stderr: string, words: readonly string[] = [what]): UserError =>
  new UserError('evaluation', `evaluating ${what} failed: ${nixMessage(stderr)}${placeIn(stderr)}`, {
    hint: hintFor(what, stderr, words),
  });
