// Starts one thread with the program's own entry, which takes some tenths of a second from source.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { fromText } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/clock.ts';
import type { TreeLayer } from '../../../src/image/layer.ts';
import { LayerThreads } from '../../../src/layer/layer-threads.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { freshHashes } from '../../../src/serve/fresh-hashes.ts';
import { hashLayers } from '../../../src/serve/hash-layers.ts';
import { treeBytes } from '../../../src/serve/layer-bytes.ts';
import { openLayerMemory } from '../../../src/serve/layer-memory.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ROOT } from '../../support/root.ts';
import { uniqueTempDir } from '../../support/tools.ts';

test('a layer that was hashed looks the same when it is sent, so that it is not hashed again', async () => {
  await using temp = await uniqueTempDir('hash-layers');
  const from = join(temp.path, 'app');
  await mkdir(join(from, 'lib'), { recursive: true });
  for (const name of ['b', 'a', 'lib/c']) await writeFile(join(from, name), name);
  const paths = [{ path: '/nix/store/app', from: fromText(from) }];
  const content = { kind: 'store', paths, storeMode: 0o555, over: {} } as const;
  const open = async () => ({ content, close: async () => {} });
  const key = '0'.repeat(64);
  const layer: TreeLayer = {
    ...{ kind: 'tree', label: 'app', title: 'app', paths: [], key, size: 1000, open },
    record: () => expect.unreachable(),
  };
  const log = memoryLog();
  const fresh = freshHashes(systemClock);
  const hashed = await hashLayers([layer], 'Reading', {
    ...{ log, fresh, signal: new AbortController().signal, openTree: open },
    memory: await openLayerMemory(join(temp.path, 'layers.jsonl'), log),
    openWriter: () => new LayerThreads(pathToFileURL(join(ROOT, 'src/main.ts')), 1),
  });
  const found = hashed.get(key) ?? expect.unreachable();
  const print = fresh.find(found.diffId);
  expect(print).toBeDefined();

  // Sent and hashed by somebody who knows of no hash, it leaves the same print.
  const others = freshHashes(systemClock);
  const descriptor = { mediaType: MEDIA_TYPE.layer, digest: found.diffId, size: found.unpackedSize };
  const sent = treeBytes({ open, descriptor, fresh: others, onDamage: async () => expect.unreachable() }, 0);
  for await (const block of sent.chunks) sent.release?.(block);
  expect(others.find(found.diffId)).toBe(print);
});
