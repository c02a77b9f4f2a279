import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cranePath } from '../../test/support/tools.ts';
import { PROGRAM } from '../release.ts';
import { buildah } from './buildah.ts';
import { crane } from './crane.ts';
import { newerSkopeo, versionIn } from './newer-skopeo.ts';
import { formatOf, OWN_CODECS, own } from './own.ts';
import { type Skopeo, skopeo } from './skopeo.ts';
import type { Subject } from './subject.ts';
import { umoci } from './umoci.ts';

const run = promisify(execFile);

const versionOf = async (program: string, ...args: string[]): Promise<string> =>
  versionIn((await run(program, args)).stdout);

/** Everybody who takes part, ours first. `folder` keeps what has to be fetched. */
export async function allSubjects(folder: string, log: (line: string) => void): Promise<Subject[]> {
  const older: Skopeo = { version: await versionOf('skopeo', '--version'), words: ['skopeo'] };
  const newer = await newerSkopeo(join(folder, 'skopeo'), log).catch((error: unknown) => {
    log(`there is no newer skopeo to be had: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  const skopeos = [older, ...(newer ? [newer] : [])];
  return [
    ...(await ownSubjects()),
    ...skopeos.flatMap((one) => [skopeo(one, 'layers', 'gzip'), skopeo(one, 'layers', 'zstd')]),
    // Nobody has to know of it, but who does can have it as fast as ours by default.
    skopeo(newer ?? older, 'layers', 'gzip', 1),
    skopeo(newer ?? older, 'layers', 'zstd', 1),
    ...skopeos.flatMap((one) => [skopeo(one, 'archive', 'gzip'), skopeo(one, 'archive', 'zstd')]),
    crane(cranePath(), await versionOf(cranePath(), 'version')),
    buildah(await versionOf('buildah', '--version')),
    umoci(await versionOf('umoci', '--version')),
  ];
}

/** Each codec that is measured; and the same without taking layers over, where there is a flag for that. */
async function ownSubjects(): Promise<Subject[]> {
  const help = (await run(process.execPath, [PROGRAM, 'publish', '--help'])).stdout;
  const version = await versionOf(process.execPath, PROGRAM, '--version');
  return OWN_CODECS.flatMap((compression) => {
    const codec = formatOf(compression);
    const usual = own(compression, codec, version);
    if (!/--no-reuse\b/.test(help)) return [usual];
    return [usual, own(compression, codec, version, `nix-images ${compression} --no-reuse`, ['--no-reuse'])];
  });
}
