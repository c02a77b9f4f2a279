import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const MANIFEST = z.object({
  name: z.string(),
  version: z.string(),
  license: z.union([z.string(), z.object({ type: z.string() })]).optional(),
});

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

const RULE = '-'.repeat(80);

const describe = async (folder: string): Promise<string> => {
  const manifest = MANIFEST.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
  const { license = 'nothing' } = manifest;
  const declared = typeof license === 'string' ? license : license.type;
  const files = (await readdir(folder)).filter((name) => LICENCE_FILE.test(name)).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  const body =
    texts.length === 0 ? 'The package has no licence text in it.' : texts.map((text) => text.trim()).join('\n\n');
  return `${manifest.name} ${manifest.version} (${declared})\n\n${body.replaceAll('\r\n', '\n')}\n`;
};

/** The licences of the packages in `folders`, sorted by name. ncc's own list leaves out what is bundled as ES modules. */
export const renderLicences = async (folders: readonly string[]): Promise<string> => {
  const sections = await Promise.all(folders.map(describe));
  return ['nix-images contains these packages:\n', ...sections.sort()].join(`${RULE}\n`);
};
