import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Realised } from '../fixture/realise.ts';
import type { Command } from '../measure/command.ts';
import { timed } from '../measure/timed.ts';
import { publishWords } from '../subjects/own.ts';
import type { Inputs } from '../subjects/subject.ts';
import { type LayoutImage, openLayout } from './layout.ts';
import { uncompressedLayers } from './uncompressed.ts';

/** What groups paths into layers: with another one, peers must get other layers. */
const PLAN = join(import.meta.dirname, '../../src/definition/layer-plan.ts');

/** Where the inputs of one version lie. */
export interface InputPlace {
  /** Folder of the version. */
  readonly folder: string;
  /** Folder of uncompressed layers that versions share. */
  readonly pool: string;
  readonly nixWords: readonly string[];
  readonly realised: Realised;
  readonly env: Readonly<Record<string, string>>;
}

export interface MadeInputs extends Inputs {
  /** Our own image of the version, which gives peers their layers. */
  readonly layout: LayoutImage;
  /** File with the store paths of the closure without leading slash, one per line, for `tar --files-from`. */
  readonly list: string;
}

/**
 * Makes the layers that peers start from: those of our own image, so that all push the same. What an earlier run made of the
 * same closure is taken as it is.
 */
export async function makeInputs(place: InputPlace): Promise<MadeInputs> {
  const { folder, nixWords, realised, env } = place;
  const oci = join(folder, 'oci');
  const layers = join(folder, 'layers');
  const list = join(folder, 'closure.list');
  const stamp = join(folder, 'stamp');
  const key = createHash('sha256')
    .update(realised.closure.join('\n'))
    .update(await readFile(PLAN))
    .digest('hex');
  if ((await readFile(stamp, 'utf8').catch(() => '')) !== key) {
    for (const old of [oci, layers, stamp, join(folder, 'archive.tar'), join(folder, 'closure.tar')])
      await rm(old, { recursive: true, force: true });
    await timed({ program: process.execPath, args: publishWords(nixWords, 'gzip', `oci:${oci}:latest`), env }, folder);
    await uncompressedLayers(await openLayout(oci), place.pool, layers);
    await writeFile(list, realised.closure.map((path) => `${path.slice(1)}\n`).join(''));
    await writeFile(stamp, key);
  }
  const archive = join(folder, 'archive.tar');
  return { nixWords, layers, archive, tar: join(folder, 'closure.tar'), layout: await openLayout(oci), list };
}

/** What makes the archive of a version, as dockerTools would, from its uncompressed layers. */
export const archiveCommand = ({ layers, archive }: Inputs): Command => ({
  program: 'skopeo',
  args: ['--insecure-policy', 'copy', '--quiet', `dir:${layers}`, `docker-archive:${archive}:bench:latest`],
});

/** What makes one tar of a version's closure; to `-` for a pipe. */
export const tarCommand = (list: string, target: string): Command => ({
  program: 'tar',
  args: ['--create', '--directory', '/', '--file', target, '--files-from', list],
});
