const PREVIEW = /^pr-([1-9]\d{0,9})(?:-[0-9a-f]{7,64})?$/;

/** The pull request whose preview a tag is: `pr-N`, or `pr-N-` and a commit. Undefined for every other tag. */
export function previewNumber(tag: string): number | undefined {
  const found = PREVIEW.exec(tag);
  return found ? Number(found[1]) : undefined;
}
