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

/** The text of the GUID at `offset`, in lower case. */
export function guidText(bytes: Buffer, offset: number): string {
  const part = (start: number, end: number, isLittle: boolean): string => {
    const field = Buffer.from(bytes.subarray(offset + start, offset + end));
    return (isLittle ? field.reverse() : field).toString('hex');
  };
  return [part(0, 4, true), part(4, 6, true), part(6, 8, true), part(8, 10, false), part(10, 16, false)].join('-');
}
