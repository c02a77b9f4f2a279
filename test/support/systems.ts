import type { System } from '../../src/oci/system.ts';

export const X86: System = 'x86_64-linux';
export const ARM: System = 'aarch64-linux';

/** Words of the command line: one platform is enough where platforms are not what is tested. */
export const ONLY_X86 = ['--system', X86];
