import type { Command } from './measure/command.ts';

/** What a tar of the closure is piped into: nobody who compresses so can be faster than this. */
export const BOUNDS: readonly { readonly name: string; readonly command: Command }[] = [
  { name: 'cat', command: { program: 'cat', args: [] } },
  { name: 'openssl sha256', command: { program: 'openssl', args: ['sha256'] } },
  { name: 'gzip -1', command: { program: 'gzip', args: ['-1', '--stdout'] } },
  { name: 'igzip -1', command: { program: 'igzip', args: ['-1', '--stdout'] } },
  { name: 'pigz -1', command: { program: 'pigz', args: ['-1', '--stdout'] } },
  { name: 'zstd -1 -T2', command: { program: 'zstd', args: ['-1', '-T2', '--quiet', '--stdout'] } },
  { name: 'zstd -3 -T2', command: { program: 'zstd', args: ['-3', '-T2', '--quiet', '--stdout'] } },
];
