/** Numbers that look random and are the same in each run (Park and Miller's generator). */
export interface Numbers {
  /** From 0 up to, not including, `end`. */
  below(end: number): number;
  /** From 0 up to, not including, 1. */
  share(): number;
  /** Of the normal distribution around 0 with deviation 1. */
  normal(): number;
}

export function numbersOf(seed: number): Numbers {
  let state = seed;
  function next(): number {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  }
  const share = (): number => next() / 2_147_483_647;
  return {
    below: (end) => next() % end,
    share,
    // Twelve uniform numbers have the variance 1 together.
    normal: () => Array.from({ length: 12 }, share).reduce((sum, one) => sum + one, -6),
  };
}
