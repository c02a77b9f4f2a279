/**
 * File names are bytes. Inside the engine they are carried as binary strings, one character a byte, which sort,
 * compare and concatenate as the bytes do.
 */
export type ByteString = string;

export const isAscii = (text: ByteString): boolean => /^[\0-\x7f]*$/.test(text);

export const toBytes = (text: ByteString): Buffer => Buffer.from(text, 'latin1');

/**
 * A path as calls of the file system take it: text where it is ASCII, as nearly all of a closure are, for a buffer for each call is memory that
 * V8 has to clear away; its bytes otherwise.
 */
export const toPath = (path: ByteString): string | Buffer => (isAscii(path) ? path : toBytes(path));

export const fromBytes = (bytes: Uint8Array): ByteString => Buffer.from(bytes).toString('latin1');

/** The bytes of ordinary text. */
export const fromText = (text: string): ByteString => Buffer.from(text, 'utf8').toString('latin1');

/** For messages: bytes that are not UTF-8 show as the replacement character. */
export const toText = (text: ByteString): string => toBytes(text).toString('utf8');

export const compareBytes = (a: ByteString, b: ByteString): number => (a < b ? -1 : a > b ? 1 : 0);
