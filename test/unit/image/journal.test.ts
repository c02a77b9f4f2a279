import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openJournal } from '../../../src/image/journal.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const destination = { name: 'oci:there', hasBlob: async () => true } as unknown as Repository;

function layer(at: number) {
  const digest = digestOf(Buffer.from(`${at}`));
  const record = { key: `${at}`.padStart(64, '0'), diffId: digest, unpackedSize: at, storeHashes: [] };
  return { descriptor: { mediaType: 'x', digest, size: at }, record };
}

test('lines of layers that come at once are all there when they are said to be, and none after the journal is cleared', async () => {
  const temp = await uniqueTempDir('journal');
  onTestFinished(() => temp.remove());
  const folder = join(temp.path, 'state', 'journal');
  const journal = await openJournal(folder, [destination], memoryLog());
  const layers = Array.from({ length: 50 }, (_, at) => layer(at));
  await journal.add(layer(1000));
  const [file = ''] = await readdir(folder);
  const all = layers.map((one) => journal.add(one));
  await all[0];
  expect(await readFile(join(folder, file), 'utf8')).toContain(layers[0]?.record.key);
  await Promise.all(all);
  const again = await openJournal(folder, [destination], memoryLog());
  for (const { record, descriptor } of [layer(1000), ...layers])
    expect(await again.find(record.key)).toMatchObject({ descriptor });
  void again.add(layer(2000));
  await again.clear();
  expect(await readdir(folder)).toEqual([]);
});

test('a journal that cannot be written does not stop a publish', async () => {
  const temp = await uniqueTempDir('journal');
  onTestFinished(() => temp.remove());
  await writeFile(join(temp.path, 'file'), '');
  const log = memoryLog();
  const journal = await openJournal(join(temp.path, 'file', 'journal'), [destination], log);
  await Promise.all([journal.add(layer(1)), journal.add(layer(2))]);
  expect(log.lines.filter((line) => line.startsWith('no journal'))).toHaveLength(1);
});
