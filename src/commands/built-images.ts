import type { Evaluated } from '../nix/found-image.ts';

/** Where the steps of a job tell each other which store paths are images that other tools made: nothing else tells them from packages. */
const VARIABLE = 'NIX_IMAGES_BUILT';

type Env = (name: string) => string | undefined;

/** Those of the steps before. */
export const builtImages = (env: Env): readonly string[] =>
  (env(VARIABLE) ?? '').split(/\s+/).filter((path) => path !== '');

/** The variable with further images: store paths, or derivations of what is not built yet. */
export function withImagePaths(env: Env, paths: readonly string[]): Readonly<Record<string, string>> {
  if (paths.length === 0) return {};
  return { [VARIABLE]: [...new Set([...builtImages(env), ...paths])].join(' ') };
}

/** The variable with one more image; nothing where the image is a definition, which has no store path. */
export const withBuiltImage = (env: Env, evaluated: Evaluated): Readonly<Record<string, string>> =>
  withImagePaths(env, evaluated.kind === 'tool-image' ? [evaluated.toolImage.outPath] : []);
