import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FoundTar } from '../../../src/image/layer.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { openLayerMemory } from '../../../src/serve/layer-memory.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let files = 0;
beforeAll(async () => {
  temp = await uniqueTempDir('layer-memory');
});
afterAll(() => temp.remove());

const newFile = (): string => join(temp.path, `state-${files++}`, 'layers.jsonl');
const open = (file: string) => openLayerMemory(file, memoryLog());
const keyOf = (number: number): string => number.toString(16).padStart(64, '0');
const tar = (text: string): FoundTar => ({ diffId: digestOf(Buffer.from(text)), unpackedSize: text.length });
const GROUPS = [['0'.repeat(32), '1'.repeat(32)], ['2'.repeat(32)]];

test('what one process learns the next one knows', async () => {
  const file = newFile();
  const first = await open(file);
  expect(first.find(keyOf(1))).toBeUndefined();
  await first.add(keyOf(1), tar('one'));
  await first.keepGroups('app x86_64-linux', GROUPS);
  expect(first.find(keyOf(1))).toMatchObject(tar('one'));
  const second = await open(file);
  expect(second.find(keyOf(1))).toMatchObject(tar('one'));
  expect(second.groupsOf('app x86_64-linux')).toEqual(GROUPS);
  expect(second.groupsOf('app aarch64-linux')).toEqual([]);
  const { size } = await stat(file);
  await second.keepGroups('app x86_64-linux', GROUPS);
  expect((await stat(file)).size).toBe(size);
  await second.forget(keyOf(1));
  expect((await open(file)).find(keyOf(1))).toBeUndefined();
});

test('two at once lose nothing of each other', async () => {
  const file = newFile();
  const [a, b] = await Promise.all([open(file), open(file)]);
  await Promise.all(Array.from({ length: 50 }, (_, at) => (at % 2 === 0 ? a : b).add(keyOf(at), tar(`number ${at}`))));
  const after = await open(file);
  for (let at = 0; at < 50; at++) expect(after.find(keyOf(at)), String(at)).toMatchObject(tar(`number ${at}`));
});

test('damaged lines are passed over, the one that was cut off last too', async () => {
  const file = newFile();
  await (await open(file)).add(keyOf(1), tar('one'));
  const line = (await readFile(file, 'utf8')).trim();
  await writeFile(file, `nonsense\n{"key":"short","diffId":"x","unpackedSize":1}\n\0\0\n${line}\n${line.slice(0, 80)}`);
  const memory = await open(file);
  expect(memory.find(keyOf(1))).toMatchObject(tar('one'));
  await memory.add(keyOf(2), tar('two'));
  expect((await open(file)).find(keyOf(2))).toMatchObject(tar('two'));
});

test('a file that has grown keeps what was learnt last', async () => {
  const file = newFile();
  await (await open(file)).add(keyOf(0), tar('old'));
  const line = (at: number): string => JSON.stringify({ key: keyOf(at), ...tar('x') });
  await appendFile(file, Array.from({ length: 30_000 }, (_, at) => `${line(at + 1)}\n`).join(''));
  const before = (await stat(file)).size;
  await open(file);
  const after = await stat(file);
  expect(before).toBeGreaterThan(4 * 1024 * 1024);
  expect(after.size).toBeLessThan(2.1 * 1024 * 1024);
  const memory = await open(file);
  expect(memory.find(keyOf(30_000))).toMatchObject(tar('x'));
  expect(memory.find(keyOf(0))).toBeUndefined();
});

test('where the file cannot be written, all is known for as long as the process lives', async () => {
  const file = newFile();
  await mkdir(file, { recursive: true });
  const log = memoryLog();
  const memory = await openLayerMemory(file, log);
  await memory.add(keyOf(1), tar('one'));
  await memory.add(keyOf(2), tar('two'));
  expect(memory.find(keyOf(2))).toMatchObject(tar('two'));
  expect(log.lines).toEqual([expect.stringContaining('digests of layers are not kept: EISDIR')]);
});
