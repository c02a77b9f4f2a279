// Makes the release tree, what users' workflows download: node scripts/assemble.ts --out DIR | --npm DIR | --commit [--ref REF]
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { assembleCommit, assembleFolder, assembleNpmPackage } from './assemble/assemble.ts';
import { AssembleError } from './assemble/failure.ts';

const USAGE = `usage: node scripts/assemble.ts --out DIR [--ref REF] | --npm DIR [--ref REF] | --commit [--ref REF]
  --out DIR   writes the tree of REF, or of the working folder as it is, into an empty folder
  --npm DIR   writes the npm package of the same into an empty folder, for \`npm pack\` or \`npm publish\`
  --commit    makes a commit of the tree of REF (HEAD), with REF as its parent, and prints its id`;

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const readWords = (): { out?: string; npm?: string; commit?: boolean; ref?: string } => {
  try {
    const options = {
      out: { type: 'string' },
      npm: { type: 'string' },
      commit: { type: 'boolean' },
      ref: { type: 'string' },
    } as const;
    const { values } = parseArgs({ options });
    if ([values.out, values.npm, values.commit].filter((given) => given !== undefined).length !== 1)
      throw new AssembleError(USAGE);
    return values;
  } catch (error) {
    throw error instanceof TypeError ? new AssembleError(`${error.message}\n${USAGE}`) : error;
  }
};

try {
  const { out, npm, ref } = readWords();
  if (out !== undefined) await assembleFolder(root, resolve(out), ref);
  else if (npm !== undefined) await assembleNpmPackage(root, resolve(npm), ref);
  else console.log(await assembleCommit(root, ref ?? 'HEAD'));
} catch (error) {
  if (!(error instanceof AssembleError)) throw error;
  console.error(`assemble: ${error.message}`);
  process.exitCode = 1;
}
