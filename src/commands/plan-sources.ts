import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { type Discovered, type DiscoverOptions, discover, type Source } from '../nix/discover.ts';
import { needsImport } from '../nix/failure.ts';
import { parseAttributePath } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { listed } from '../nix/not-image.ts';
import type { System } from '../oci/system.ts';
import { type Chosen, chooseImages } from '../plan/images.ts';
import { joinChosen } from '../plan/join.ts';
import { noImages } from '../plan/nothing.ts';
import { byReason, isWarning, problemsError } from '../plan/problems.ts';
import { type Recipes, recipesOf } from '../plan/recipes.ts';
import { sourceText } from '../plan/report.ts';

/** What is searched for images: flakes, or one file. Throws UserError `input`. */
export function sourcesOf(flakes: readonly string[], file: string | undefined, attr: string | undefined): Source[] {
  if (file !== undefined) {
    if (flakes.length === 0) return [{ kind: 'file', file, path: parseAttributePath(attr ?? '') }];
    throw new UserError('input', `both ${flakes[0]} and --file ${file} are given`, {
      hint: 'Name a flake or a file, not both.',
    });
  }
  if (attr !== undefined) {
    throw new UserError('input', '--attr is given without --file', {
      hint: 'A flake is searched as a whole; choose with images: NAME.',
    });
  }
  return [...new Set(flakes.length > 0 ? flakes : ['.'])].map(flakeSource);
}

function flakeSource(flake: string): Source {
  if (!flake.includes('#') && !flake.startsWith('-')) return { kind: 'flake', flake };
  throw new UserError('input', `${JSON.stringify(flake)} is not a flake`, {
    hint: 'Name the flake alone, for instance . or github:org/repo; choose images with images: NAME.',
  });
}

/**
 * The images of all sources, each evaluated once. Throws UserError `evaluation` where there is none at all, and what
 * `discover` throws.
 */
export async function imagesOf(
  sources: readonly Source[],
  options: DiscoverOptions & { readonly globs: readonly string[]; readonly systems: readonly System[] },
  nix: Nix,
  { log }: Host,
): Promise<Chosen & { readonly recipes: Recipes }> {
  const chosen: Chosen[] = [];
  const recipes = new Map<string, Discovered>();
  for (const source of sources) {
    const found = await log.group(`Evaluating ${sourceText(source)}`, () => discover(nix, source, options));
    const its = planSource(source);
    chosen.push(chooseImages(found, { images: options.globs, systems: options.systems, source: its }));
    for (const [key, entry] of recipesOf(found, its)) recipes.set(key, entry);
  }
  const all = joinChosen(chosen);
  if (all.images.length > 0) return { ...all, recipes };
  throw problemsError(all.problems) ?? noImages(sources.map(sourceText).join(', '), all.leftOut, options.globs);
}

const planSource = (source: Source) =>
  source.kind === 'flake' ? { flake: source.flake, file: null } : { flake: null, file: source.file };

/** Warnings at most; the summary says how many there are. */
const MOST_WARNINGS = 10;

/** Packages fail to evaluate for many a reason that concerns no image; of what looks like one it is news. */
export function warnOfBroken({ leftOut }: Pick<Chosen, 'leftOut'>, { log }: Host): void {
  const rows = byReason(leftOut);
  const news = rows.filter(({ items }) => items.some(isWarning));
  for (const [at, { attrs, why }] of rows.entries()) {
    const write = at < Math.min(news.length, MOST_WARNINGS) ? log.warn : log.debug;
    write(`left out: ${attrs}: ${why}`);
  }
  const more = news.slice(MOST_WARNINGS).reduce((sum, { items }) => sum + items.length, 0);
  if (more > 0) log.warn(`left out: ${more} more that look like images`);
  const imports = leftOut.filter((item) => item.broken && !isWarning(item) && needsImport(item.why));
  if (imports.length === 0) return;
  log.warn(
    `left out: ${listed(imports.map(({ attr }) => attr))}: cannot be looked at without building what they import; ` +
      'should images be among them, allow-import-from-derivation shows',
  );
}
