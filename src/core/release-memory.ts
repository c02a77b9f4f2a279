/** Frees memory that nobody looks at any more: without it a gigabyte of garbage waits to be collected. */
export function releaseMemory({ buffer }: Uint8Array): void {
  // Small ones lie in memory that Node shares among buffers.
  if (buffer.byteLength > Buffer.poolSize && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
