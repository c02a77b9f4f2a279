import { FIXTURES, type FixtureName } from '../fixture/fixture.ts';

/** Images of the fleet. */
const IMAGES = 20;

/**
 * What each image of the fleet needs, as names of packages by spaces: of a fixture's packages a part that turns from image to image, so that some
 * are in few of them and some in many.
 */
export function fleetSets(fixture: FixtureName): Readonly<Record<string, string>> {
  const roots = FIXTURES[fixture];
  const isIn = (image: number, at: number): boolean => roots.length === 1 || (at * 5 + image * 7) % roots.length < 4;
  return Object.fromEntries(
    Array.from({ length: IMAGES }, (_, image) => [
      `f${String(image + 1).padStart(2, '0')}`,
      roots.filter((_root, at) => isIn(image, at)).join(' '),
    ]),
  );
}
