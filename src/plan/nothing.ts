import { UserError } from '../core/error.ts';
import type { LeftOut } from './plan.ts';
import { byReason } from './problems.ts';
import { shortReason } from './short-reason.ts';

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
  const rows = byReason(leftOut);
  const reasons = rows.slice(0, SHOWN).map(({ attrs, why }) => `\n  ${attrs}: ${shortReason(why)}`);
  const rest = rows.slice(SHOWN).reduce((sum, { items }) => sum + items.length, 0);
  const more = rest > 0 ? [`\n  and ${rest} more`] : [];
  const said = reasons.length > 0 ? `; left out were${[...reasons, ...more].join('')}` : '';
  if (filters.length > 0) {
    return new UserError('evaluation', `no image of ${source} passes the filters ${filters.join(', ')}${said}`, {
      hint: 'Filters are globs of names or attributes, such as app, web-*, !web-test; leave them out to see all images.',
    });
  }
  // Packages fail to evaluate for many a reason that concerns no image.
  if (leftOut.some(({ attr, broken }) => broken && !attr.startsWith('packages.'))) {
    return new UserError('evaluation', `${source} has no image that can be taken${said}`, {
      hint: 'Fix one of them; `nix eval --show-trace` shows where its error comes from.',
    });
  }
  return new UserError('evaluation', `${source} has no image; looked for ${LOOKED_FOR}${said}`, {
    hint: EXAMPLE,
    docs: 'definition.md#where-images-are-found',
  });
}
