/** Milliseconds. */
export const DAY = 86_400_000;

const MINUTE = 60_000;

/** When an AMI is deprecated: so many days after it was made, so that each run comes to the same. */
export function deprecationOf(created: number, days: number) {
  const time = created + days * DAY;
  return {
    time,
    /** EC2 rounds to the minute. */
    isNear: (other: number | undefined): boolean => other !== undefined && Math.abs(other - time) <= 2 * MINUTE,
  };
}
