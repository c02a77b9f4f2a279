import { join } from 'node:path';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { ROOT } from '../../support/root.ts';

const FLAKES = join(ROOT, 'test/fixtures/flakes');

/** Flags that give a fixture flake its inputs. */
export const flakeInputs = async (): Promise<string[]> =>
  Object.entries({ packages: await debianPackages(), formats: join(FLAKES, 'formats') })
    .flatMap(([name, path]) => ['--override-input', name, `path:${path}`])
    .map((argument) => `--nix-arg=${argument}`);

/** Words that name the image of one of the fixture flakes. */
export const flakeImage = async (name: string): Promise<string[]> => [
  `path:${join(FLAKES, name)}#app`,
  ...(await flakeInputs()),
];
