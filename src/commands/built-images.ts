import type { Evaluated } from '../nix/found-image.ts';

/** Where the steps of a job tell each other which store paths are images that other tools made: nothing else tells them from packages. */
const VARIABLE = 'NIX_IMAGES_BUILT';

type Env = (name: string) => string | undefined;

/** Those of the steps before. */
export const builtImages = (env: Env): readonly string[] =>
  (env(VARIABLE) ?? '').split(/\s+/).filter((path) => path !== '');

/** The variable with one more image; nothing where the image is a definition, which has no store path. */
export function withBuiltImage(env: Env, evaluated: Evaluated): Readonly<Record<string, string>> {
  if (evaluated.kind !== 'tool-image') return {};
  return { [VARIABLE]: [...new Set([...builtImages(env), evaluated.toolImage.outPath])].join(' ') };
}
