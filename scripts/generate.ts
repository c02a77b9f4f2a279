import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commands } from '../src/commands/index.ts';
import { compareTree } from './generate/tree.ts';

/** Writes what is generated from the source: actions, documentation, schema. Says what it changed. */
const root = fileURLToPath(new URL('..', import.meta.url));
const { stale, orphans } = await compareTree(root, commands);
for (const [path, text] of Object.entries(stale)) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
  console.log(`wrote ${path}`);
}
for (const folder of orphans) {
  await rm(join(root, folder), { recursive: true });
  console.log(`removed ${folder}`);
}
if (Object.keys(stale).length + orphans.length === 0) console.log('everything is up to date');
