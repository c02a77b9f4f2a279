import { UserError } from '../core/error.ts';
import type { LeftOut } from './plan.ts';

/** Reasons in a message at most. */
const SHOWN = 10;

const LOOKED_FOR = [
  'nixImages.<system>.<name>',
  'dockerImages, ociImages and diskImages of the same form',
  'packages.<system>.<name> that carry passthru.nixImage or are images of dockerTools or nix2container',
].join('; ');

/** What to write into a flake to have an image. */
const EXAMPLE = `add one to the outputs of the flake:
  nixImages.x86_64-linux.app = nix-images.lib.mkImage {
    name = "app";
    copyToRoot = [ nixpkgs.legacyPackages.x86_64-linux.hello ];
    config.Cmd = [ "/bin/hello" ];
  };`;

/** The error for a source without any image: what was looked for, what was left out, and how to begin. */
export function noImages(source: string, leftOut: readonly LeftOut[], filters: readonly string[]): UserError {
  const reasons = leftOut.slice(0, SHOWN).map(({ attr, why }) => `\n  ${attr}: ${why.split('\n')[0]}`);
  const more = leftOut.length > SHOWN ? [`\n  and ${leftOut.length - SHOWN} more`] : [];
  const rest = reasons.length > 0 ? `; left out were${[...reasons, ...more].join('')}` : '';
  if (filters.length > 0) {
    return new UserError('evaluation', `no image of ${source} passes the filters ${filters.join(', ')}${rest}`, {
      hint: 'Filters are globs of names or attributes, such as app, web-*, !web-test; leave them out to see all images.',
    });
  }
  // Packages fail to evaluate for many a reason that concerns no image.
  if (leftOut.some(({ attr, broken }) => broken && !attr.startsWith('packages.'))) {
    return new UserError('evaluation', `${source} has no image that can be taken${rest}`, {
      hint: 'Fix one of them; `nix eval --show-trace` shows where its error comes from.',
    });
  }
  return new UserError('evaluation', `${source} has no image; looked for ${LOOKED_FOR}${rest}`, {
    hint: EXAMPLE,
    docs: 'definition.md',
  });
}
