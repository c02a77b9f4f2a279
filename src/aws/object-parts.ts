/** Parts of an object (S3 user guide, "Multipart upload limits"). */
const MOST_PARTS = 10_000;

/** Bytes of a part at least: S3 takes 5 MiB, and some of these under way are all the memory that an upload takes. */
const LEAST_PART = 8 * 1024 * 1024;

/** Bytes of each part of an object but the last: whole units, as few as the number of parts allows. */
export const partBytes = (size: number, unit: number): number =>
  Math.max(LEAST_PART, Math.ceil(size / MOST_PARTS / unit) * unit);
