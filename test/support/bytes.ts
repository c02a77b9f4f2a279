import { createHash } from 'node:crypto';

export const MIB = 1024 * 1024;

/** The digest of bytes as OCI writes it, computed without the code under test. */
export const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
