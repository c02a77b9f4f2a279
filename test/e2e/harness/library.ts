import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueTempDir } from '../../support/tools.ts';
import { commitAll, writeFiles } from './repository.ts';

/** The reference that workflows name, as users do. */
const OWN = 'org/nix-images';
const OWN_REF = `${OWN}@v1`;

/** act knows how to check out the repository that it runs in. */
const CHECKOUT = 'actions/checkout';

const NO_OP = `name: Nothing
description: Stands in for an action that this machine has no use for.
runs:
  using: composite
  steps:
    - run: 'true'
      shell: bash
`;

/** What act finds behind the names in workflows; nothing is fetched. */
export interface Library extends AsyncDisposable {
  /** Folders by `owner/name@ref`, each a repository. */
  readonly repositories: ReadonlyMap<string, string>;
  remove(): Promise<void>;
}

/** act 0.2.89 does not know `$/name`, an action or workflow of the same repository at the same commit. */
export const nameSiblings = (text: string): string =>
  text.replaceAll(/(uses: "?)\$\/([\w./-]+)/g, (_, start: string, path: string) => `${start}${OWN}/${path}@v1`);

/** What act 0.2.89 refuses, and a checkout's `ref`: with one, even an empty one, act fetches the action and the repository. */
const NOT_FOR_ACT = /^ +(queue: max|cache-mode: [a-z-]+|ref: \$\{\{ inputs\.ref \}\})(?: #.*)?\n/gm;

/** A workflow as act reads it. Nothing that is left out changes what a single run does on one machine. */
export const asActReads = (text: string): string => nameSiblings(text).replaceAll(NOT_FOR_ACT, '');

/** `owner/name@ref` of every action of others that a workflow uses. */
export const foreignActions = (text: string): string[] => {
  const uses = [...text.matchAll(/uses: "?([\w-]+\/[\w.-]+)(?:\/[\w./-]+)?@([\w.-]+)/g)];
  return uses.filter(([, name]) => name !== OWN && name !== CHECKOUT).map(([, name, ref]) => `${name}@${ref}`);
};

const yamlFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yml'))
    .map((entry) => join(entry.parentPath, entry.name));

/**
 * A library with the release tree in `release` as org/nix-images@v1, and a no-op for each third-party action that it or one
 * of `workflows` uses: what they install is here already.
 */
export async function createLibrary(release: string, workflows: readonly string[]): Promise<Library> {
  const folder = await uniqueTempDir('library');
  const own = join(folder.path, 'own');
  await cp(release, own, { recursive: true });
  const texts = [...workflows];
  for (const file of await yamlFiles(own)) {
    const text = asActReads(await readFile(file, 'utf8'));
    await writeFile(file, text);
    texts.push(text);
  }
  await commitAll(own, OWN);
  const repositories = new Map([[OWN_REF, own]]);
  for (const reference of new Set(texts.flatMap(foreignActions))) {
    const [slug = ''] = reference.split('@');
    const other = join(folder.path, reference.replaceAll('/', '-'));
    await writeFiles(other, { 'action.yml': NO_OP });
    await commitAll(other, slug);
    repositories.set(reference, other);
  }
  return { repositories, remove: folder.remove, [Symbol.asyncDispose]: folder.remove };
}
