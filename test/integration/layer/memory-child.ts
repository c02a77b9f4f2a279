// Makes layers of folders and tells how many bytes of memory that took: PROGRAM THREADS COMPRESSION FOLDER…
import { pathToFileURL } from 'node:url';
import { LayerThreads } from '../../../src/layer/layer-threads.ts';
import type { Compression } from '../../../src/oci/compression.ts';

const [program = '', threads, name, ...folders] = process.argv.slice(2);
const writer = new LayerThreads(pathToFileURL(program), Number(threads));
const compression = { name, level: 3 } as Compression;
await Promise.all(
  folders.map((from, at) => {
    const content = { kind: 'store', paths: [{ path: `/nix/store/${at}`, from }], storeMode: 0o555, over: {} } as const;
    return writer.write({ content, size: Number.POSITIVE_INFINITY, compression, parallel: 1 }, async () => {});
  }),
);
await writer.close();
process.stdout.write(String(process.resourceUsage().maxRSS * 1024));
