/**
 * The value of a key that came from outside. A plain look-up finds what every object inherits, so that a registry's error
 * code `constructor` would have a function for its hint.
 */
export const lookUp = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
