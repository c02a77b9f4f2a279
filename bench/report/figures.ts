/** Three digits that count: 0.123, 1.23, 12.3, 123. */
export function figure(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude >= 100) return value.toFixed(0);
  if (magnitude >= 10) return value.toFixed(1);
  if (magnitude >= 1) return value.toFixed(2);
  return value.toFixed(3);
}

/** Bytes as millions of them, as registries count; below 100 kB with three decimals at most. */
export const megabytes = (bytes: number): string => {
  const value = bytes / 1e6;
  if (value >= 10) return value.toFixed(0);
  return value.toFixed(value >= 1 ? 1 : 3);
};

/** Memory in MiB, as limits are set. */
export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
