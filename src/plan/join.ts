import type { Chosen } from './images.ts';
import type { PlannedImage, Problem } from './plan.ts';

const sourceName = ({ source: { flake, file } }: PlannedImage): string => flake ?? file ?? '';

/**
 * What was chosen in several flakes as one plan, sorted by name. A name that several of them have is a problem: nobody can say
 * which of the images is meant, so none is planned.
 */
export function joinChosen(chosen: readonly Chosen[]): Chosen {
  const groups = Map.groupBy(
    chosen.flatMap(({ images }) => images),
    ({ name }) => name,
  );
  const all = [...groups.values()];
  const problems = all.filter((group) => group.length > 1).map(twice);
  const images = all.flatMap(([image, ...others]) => (image && others.length === 0 ? [image] : []));
  return {
    images: images.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    leftOut: chosen.flatMap(({ leftOut }) => leftOut),
    problems: [...chosen.flatMap((one) => one.problems), ...problems],
  };
}

function twice(images: readonly PlannedImage[]): Problem {
  const name = images[0]?.name ?? '';
  const places = images.map(sourceName);
  return {
    name,
    why: `two images have the repository name ${name}: in ${places.slice(0, -1).join(', ')} and ${places.at(-1)}`,
    hint: 'Give each a name of its own, or plan the flakes by calls of their own with different destinations.',
  };
}
