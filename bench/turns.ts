/**
 * The order in which things run: all of them in turn, and again, so that whatever drifts on the machine (its clock, its disk)
 * hits all alike. Those for which `once` holds take part in the first round only.
 */
export function inTurns<T>(
  things: readonly T[],
  rounds: number,
  once: (thing: T) => boolean,
): { thing: T; round: number }[] {
  return Array.from({ length: rounds }, (_, round) =>
    things.filter((thing) => round === 0 || !once(thing)).map((thing) => ({ thing, round })),
  ).flat();
}
