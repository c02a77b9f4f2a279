const GUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i;

/** Bytes of a GUID on disk. */
export const GUID_BYTES = 16;

/** The 16 bytes of a GUID as EFI stores it: its first three fields little-endian (UEFI 2.10, appendix A). Throws RangeError. */
export function guidBytes(text: string): Buffer {
  const fields = GUID.exec(text)?.slice(1);
  if (fields === undefined) throw new RangeError(`${JSON.stringify(text)} is not a valid GUID`);
  return Buffer.concat(
    fields.map((digits, at) => {
      const bytes = Buffer.from(digits, 'hex');
      return at < 3 ? bytes.reverse() : bytes;
    }),
  );
}
