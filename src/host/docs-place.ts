import { REPOSITORY, VERSION } from './version.ts';
import type { World } from './world.ts';

/** Where a person reads a page of the documentation, which is given from `docs/`: `tags.md#patterns`. */
export type DocsPlace = (page: string) => string;

const GITHUB = 'https://github.com';

/** Where runners put actions: below `_actions`, by owner, repository and reference. */
const FETCHED = /\/_actions\/([^/]+)\/([^/]+)\/(.+)\/dist\/index\.js$/;

/** What GitHub takes as owner and repository; `_` is in the names of managed users. */
const NAME = /^[A-Za-z0-9][\w-]{0,99}\/(?!\.{1,2}$)[\w.-]{1,100}$/;

/** Of what git takes as a branch or tag, what is the same in an address. */
const REF = /^(?!.*(?:\.\.|\/\/))[\w][\w./@+-]{0,254}$/;

const addressOf = (repository: string, ref: string, page: string): string => `${repository}/blob/${ref}/docs/${page}`;

/** The pages of this program: a checkout has them in `docs/`; a package and a release are read where they come from. */
export const docsOfProgram =
  (program: URL): DocsPlace =>
  (page) =>
    program.pathname.endsWith('.ts') ? `docs/${page}` : addressOf(REPOSITORY, `v${VERSION}`, page);

/** The address of GitHub, or of an enterprise's own. */
function serverOf(env: World['env']): string {
  const server = URL.parse(env('GITHUB_SERVER_URL') ?? GITHUB);
  return server?.protocol === 'https:' ? server.origin : GITHUB;
}

/**
 * The pages of the action that runs, as it was named in the workflow. What the runner says of the action is that of the outermost one
 * where actions call others (actions/runner issue 2473), so the folder that it was fetched into counts first. One that says nothing that can be
 * believed, as for an action of the checkout, leaves the pages of the program.
 */
export function docsOfAction({ program, env }: Pick<World, 'program' | 'env'>): DocsPlace {
  const [, owner, name, fetched] = FETCHED.exec(program.pathname) ?? [];
  const repository = name === undefined ? (env('GITHUB_ACTION_REPOSITORY') ?? '') : `${owner}/${name}`;
  if (!NAME.test(repository)) return docsOfProgram(program);
  const ref = fetched ?? env('GITHUB_ACTION_REF') ?? '';
  // Of a repository, HEAD is its default branch.
  return (page) => addressOf(`${serverOf(env)}/${repository}`, REF.test(ref) ? ref : 'HEAD', page);
}
