/**
 * File names are bytes. Inside the engine they are carried as binary strings, one character a byte, which sort,
 * compare and concatenate as the bytes do.
 */
export type ByteString = string;

export const toBytes = (text: ByteString): Buffer => Buffer.from(text, 'latin1');

export const fromBytes = (bytes: Uint8Array): ByteString => Buffer.from(bytes).toString('latin1');

/** The bytes of ordinary text. */
export const fromText = (text: string): ByteString => Buffer.from(text, 'utf8').toString('latin1');

/** For messages: bytes that are not UTF-8 show as the replacement character. */
export const toText = (text: ByteString): string => toBytes(text).toString('utf8');

export const compareBytes = (a: ByteString, b: ByteString): number => (a < b ? -1 : a > b ? 1 : 0);
