// Parses the modules that are named, and runs none of them: node --experimental-vm-modules scripts/assemble/parse-scripts.ts FILE…
import { readFile } from 'node:fs/promises';
import { SourceTextModule } from 'node:vm';

for (const file of process.argv.slice(2)) new SourceTextModule(await readFile(file, 'utf8'), { identifier: file });
