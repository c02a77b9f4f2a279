import { AssembleError } from './failure.ts';
import type { TreeEntry } from './git.ts';

/** Where the release takes a file of the source from, and where it puts it. */
export interface Placement {
  readonly from: TreeEntry;
  readonly path: string;
}

/** Files at the top of the source that a release has too; those that are not there yet are no error. */
const KEPT_FILES = new Set(['README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'flake.nix', 'flake.lock']);

/**
 * Folders that a release has just as the source does; README.md leads to docs/ and examples/. The workflows must be equal: GitHub refuses a
 * token of Actions that pushes a commit with other ones.
 */
const KEPT_FOLDERS = ['nix/', 'docs/', 'examples/', '.github/workflows/'];

const ROOT_ACTION = 'actions/root/action.yml';

/** The jobs to copy: an example to those who use a release, and to the source a workflow beside those that it is equal to. */
const MATRIX = { from: 'workflows/matrix.yml', to: 'examples/workflows/matrix.yml' };

/** Pages for those who work on the source, and lead into it. */
const SOURCE_PAGES = /^docs\/(?:architecture|dependencies|proof|review)\.md$/;

const isKept = (path: string): boolean =>
  !SOURCE_PAGES.test(path) && (KEPT_FILES.has(path) || KEPT_FOLDERS.some((folder) => path.startsWith(folder)));

/** The actions of the source: folders below `actions/` with an action.yml, but for the one at the top of a release. */
export const actionNames = (entries: readonly TreeEntry[]): string[] =>
  entries
    .filter(({ path }) => path !== ROOT_ACTION)
    .map(({ path }) => /^actions\/([a-z][a-z0-9-]*)\/action\.yml$/.exec(path)?.[1])
    .filter((name) => name !== undefined);

const placeOf = (path: string, actions: ReadonlySet<string>): string | undefined => {
  if (isKept(path)) return path;
  if (path === ROOT_ACTION) return 'action.yml';
  if (path === MATRIX.from) return MATRIX.to;
  const [, name = '', rest = ''] = /^actions\/([^/]+)\/(.+)$/.exec(path) ?? [];
  return actions.has(name) ? `${name}/${rest}` : undefined;
};

/**
 * Which files of the source stand in a release, and where. Throws AssembleError for a link (runners copy a release file by
 * file; one link that leads nowhere breaks every action in it) and for an action whose folder has a taken name.
 */
export const placeFiles = (entries: readonly TreeEntry[]): Placement[] => {
  const actions = new Set(actionNames(entries));
  if (actions.size === 0) throw new AssembleError('there is no action below actions/; is this the source?');
  const placed = new Map<string, Placement>();
  for (const from of entries) {
    const path = placeOf(from.path, actions);
    if (path === undefined) continue;
    if (!from.mode.startsWith('100')) throw new AssembleError(`${from.path} is a link; a release has plain files only`);
    const other = placed.get(path);
    if (other !== undefined) throw new AssembleError(`${from.path} and ${other.from.path} would both be ${path}`);
    placed.set(path, { from, path });
  }
  for (const taken of ['dist', 'nix', 'docs']) {
    if (actions.has(taken)) throw new AssembleError(`an action cannot be called ${taken}: a release has that folder`);
  }
  return [...placed.values()];
};

/** Pages that people read in a release, with links to what lies elsewhere there. */
export const hasLinks = (path: string): boolean => /^(?:README\.md|SECURITY\.md|docs\/.*\.md)$/.test(path);

/** What a page says of the source alone: how to run it from a checkout, and pages for those who work on it. */
const SOURCE_ONLY = /\n*<!-- source only -->[\s\S]*?<!-- \/source only -->\n*/g;

/**
 * A page of the source as it reads in a release: the actions lie at the top, the jobs to copy with the examples, and what
 * stands between `<!-- source only -->` and `<!-- /source only -->` is left out.
 */
export const pageInRelease = (page: string): string =>
  page
    .replaceAll(SOURCE_ONLY, '\n')
    .replaceAll(/\]\(((?:\.\.\/)*)actions\//g, ']($1')
    .replaceAll(/\]\(((?:\.\.\/)*)workflows\/matrix\.yml\)/g, `]($1${MATRIX.to})`);
