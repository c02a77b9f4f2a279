import { open } from 'node:fs/promises';
import { withFileErrors } from '../core/file-error.ts';

/** Offsets in a bzImage (Linux `Documentation/arch/x86/boot.rst`): magic of the header, and where the text of the version is, less 0x200. */
const X86 = { magic: 0x202, version: 0x20e, base: 0x200 } as const;

/** Longest text of a version that is read. */
const VERSION_BYTES = 256;

/** In an uncompressed kernel: the banner that it prints first. */
const BANNER = /Linux version (\d\.\S{1,100}) \(/;

/** Bytes that are searched at once; the banner may stand across two of them. */
const CHUNK = 4 << 20;

/**
 * The release of a kernel, as `uname -r` prints it, from its file: the header of a bzImage, or the banner of an uncompressed Image. Undefined for
 * others, as self-extracting ones. Throws UserError `file`.
 */
export async function kernelRelease(path: string): Promise<string | undefined> {
  return withFileErrors(path, 'read', async () => {
    await using file = await open(path);
    const read = async (position: number, bytes: number): Promise<Buffer> => {
      const buffer = Buffer.alloc(bytes);
      const { bytesRead } = await file.read(buffer, 0, bytes, position);
      return buffer.subarray(0, bytesRead);
    };
    const header = await read(X86.magic, 16);
    if (header.toString('latin1', 0, 4) === 'HdrS') {
      const text = await read(X86.base + header.readUInt16LE(X86.version - X86.magic), VERSION_BYTES);
      return /^[\w.+-]+(?= )/.exec(text.toString('latin1'))?.[0];
    }
    for (let position = 0; ; position += CHUNK) {
      const chunk = await read(position, CHUNK + VERSION_BYTES);
      const found = BANNER.exec(chunk.toString('latin1'))?.[1];
      if (found !== undefined || chunk.length < CHUNK) return found;
    }
  });
}
