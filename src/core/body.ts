/** Bytes to send, in pieces, so that they need not lie in one place. */
export interface Body {
  /** In bytes. */
  readonly length: number;
  /** The same pieces each time: a request may have to be sent again. */
  pieces(): Iterable<Uint8Array>;
}

export const bodyOf = (bytes: Uint8Array): Body => ({
  length: bytes.length,
  pieces: () => (bytes.length === 0 ? [] : [bytes]),
});
