import { expect, test } from 'vitest';
import { docsOfAction, docsOfProgram } from '../../../src/host/docs-place.ts';
import { VERSION } from '../../../src/host/version.ts';

const PAGE = 'tags.md#patterns';
const SOURCE = new URL('file:///home/me/nix-images/src/main.ts');
const RELEASE = new URL('file:///usr/lib/node_modules/nix-images/dist/index.js');
const OWN = `https://github.com/org/nix-images/blob/v${VERSION}/docs/${PAGE}`;

test('a checkout names its own file, an installed program the page of its version', () => {
  expect(docsOfProgram(SOURCE)(PAGE)).toBe(`docs/${PAGE}`);
  expect(docsOfProgram(RELEASE)(PAGE)).toBe(OWN);
});

test.each<[string, string, Record<string, string>, string]>([
  ['the action', 'act', { REPOSITORY: 'acme/nix-images', REF: 'v1' }, 'https://github.com/acme/nix-images/blob/v1'],
  ['a branch', 'act', { REPOSITORY: 'acme/x', REF: 'fix/7' }, 'https://github.com/acme/x/blob/fix/7'],
  ['a managed user', 'act', { REPOSITORY: 'me_acme/x', REF: 'v1' }, 'https://github.com/me_acme/x/blob/v1'],
  ['no reference', 'act', { REPOSITORY: 'acme/x' }, 'https://github.com/acme/x/blob/HEAD'],
  ['a reference of other letters', 'act', { REPOSITORY: 'acme/x', REF: 'a b)' }, 'https://github.com/acme/x/blob/HEAD'],
  ['a reference that climbs', 'act', { REPOSITORY: 'acme/x', REF: 'a/../../b' }, 'https://github.com/acme/x/blob/HEAD'],
  [
    'an enterprise',
    'act',
    { REPOSITORY: 'acme/x', REF: 'v1', SERVER: 'https://git.acme.test/' },
    'https://git.acme.test/acme/x/blob/v1',
  ],
  [
    'a server that is not an address',
    'act',
    { REPOSITORY: 'acme/x', REF: 'v1', SERVER: 'javascript:alert()' },
    'https://github.com/acme/x/blob/v1',
  ],
  // What the runner says is of the outer action then.
  [
    'an action that another one calls',
    '_work/_actions/acme/nix-images/releases/v1.2.3',
    { REPOSITORY: 'other/ci', REF: 'main' },
    'https://github.com/acme/nix-images/blob/releases/v1.2.3',
  ],
])('%s', (_name, folder, { REPOSITORY, REF, SERVER }, expected) => {
  const env = (name: string) =>
    ({ GITHUB_ACTION_REPOSITORY: REPOSITORY, GITHUB_ACTION_REF: REF, GITHUB_SERVER_URL: SERVER })[name];
  const program = new URL(`file:///home/runner/${folder}/dist/index.js`);
  expect(docsOfAction({ program, env })(PAGE)).toBe(`${expected}/docs/${PAGE}`);
});

test.each([
  undefined,
  'acme',
  'acme/..',
  '../x/y',
  'acme/x/y',
  'a b/c',
  'acme/x?y',
])('an action of the checkout, or what is not the name of a repository: %s', (repository) => {
  const env = (name: string) => ({ GITHUB_ACTION_REPOSITORY: repository, GITHUB_ACTION_REF: 'v1' })[name];
  expect(docsOfAction({ program: RELEASE, env })(PAGE)).toBe(OWN);
  expect(docsOfAction({ program: SOURCE, env })(PAGE)).toBe(`docs/${PAGE}`);
});
