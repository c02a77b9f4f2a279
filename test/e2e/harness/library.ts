import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryTempDir } from '../../support/tools.ts';
import { commitAll, writeFiles } from './repository.ts';

/** The reference that workflows name, as users do. */
const OWN = 'org/nix-images';
const OWN_REF = `${OWN}@v1`;

const CHECKOUT = 'actions/checkout';

/** Names the repository that a workflow is of, for the action that stands in for CHECKOUT. */
export const CHECKED_OUT_FROM = 'TEST_CHECKED_OUT_FROM';

/** act knows how to check out the repository that it runs in, but not what else a checkout may be asked for. */
const CHECK_OUT = `name: Check out
description: Stands in for ${CHECKOUT}.
inputs:
  ref: { description: What to check out. }
  submodules: { description: Whether to check out submodules. }
  lfs: { description: Whether to check out files of Git LFS. }
  token: { description: Who checks out. }
  persist-credentials: { description: Whether later steps may push. }
runs:
  using: composite
  steps:
    - env:
        REF: \${{ inputs.ref }}
        SUBMODULES: \${{ inputs.submodules }}
        LFS: \${{ inputs.lfs }}
        TOKEN: \${{ inputs.token }}
      run: |
        git clone --quiet "$${CHECKED_OUT_FROM}" .
        git checkout --quiet "\${REF:-HEAD}"
        echo "checked out \${REF:-HEAD}, submodules $SUBMODULES, lfs $LFS, with \${TOKEN:-no token}"
      shell: bash
`;

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

/** What act 0.2.89 refuses, and a limit of jobs that is an expression: act takes it for one job at a time. */
const NOT_FOR_ACT = /^ +(queue: max|cache-mode: [a-z-]+|max-parallel: \$\{\{.*\}\})(?: #.*)?\n/gm;

/** A workflow as act reads it. Nothing that is left out changes what a single run does on one machine. */
export const asActReads = (text: string): string => nameSiblings(text).replaceAll(NOT_FOR_ACT, '');

/** `owner/name@ref` of every action of others that a workflow uses; actions/checkout is one of them. */
export const foreignActions = (text: string): string[] => {
  const uses = [...text.matchAll(/uses: "?([\w-]+\/[\w.-]+)(?:\/[\w./-]+)?@([\w.-]+)/g)];
  return uses.filter(([, name]) => name !== OWN).map(([, name, ref]) => `${name}@${ref}`);
};

const yamlFiles = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yml'))
    .map((entry) => join(entry.parentPath, entry.name));

/**
 * A library with the release tree in `release` as org/nix-images@v1, a stand-in for actions/checkout, and a no-op for each
 * other action that it or one of `workflows` uses: what they install is here already.
 */
export async function createLibrary(release: string, workflows: readonly string[]): Promise<Library> {
  const folder = await memoryTempDir('library');
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
    await writeFiles(other, { 'action.yml': slug === CHECKOUT ? CHECK_OUT : NO_OP });
    await commitAll(other, slug);
    repositories.set(reference, other);
  }
  return { repositories, remove: folder.remove, [Symbol.asyncDispose]: folder.remove };
}
