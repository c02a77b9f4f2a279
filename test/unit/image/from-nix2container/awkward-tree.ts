import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const files: readonly (readonly [string, string, number])[] = [
  ['bin/tool', '#!/bin/sh\n', 0o555],
  ['bin-extra/empty', '', 0o444],
  ['share/block', 'x'.repeat(512), 0o444],
  ['share/more', 'y'.repeat(700), 0o444],
  ['share/ünïcode/naïve', 'bytes\n', 0o444],
  // A file name that ustar holds only with its prefix field, one that it does not hold, and a path over its limit.
  [`deep/${'d'.repeat(60)}/${'e'.repeat(60)}/file`, 'deep\n', 0o444],
  [`long/${'f'.repeat(120)}`, 'long\n', 0o444],
  [`${'g'.repeat(90)}/${'h'.repeat(90)}/${'i'.repeat(90)}`, 'longer\n', 0o444],
];

const links: readonly (readonly [string, string])[] = [
  ['bin/alias', 'tool'],
  ['share/far', `/nix/store/${'t'.repeat(120)}`],
  [`deep/${'d'.repeat(60)}/${'e'.repeat(60)}/${'l'.repeat(20)}`, `../${'t'.repeat(120)}`],
  ['share/cible-é', 'ünïcode'],
];

/** Writes a tree with all that tar headers have trouble with, in the modes of the Nix store. */
export async function writeAwkwardTree(root: string): Promise<void> {
  const folders = new Set<string>([root]);
  const parents = async (path: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    for (let at = dirname(path); at.startsWith(root); at = dirname(at)) folders.add(at);
  };
  for (const [name, content, mode] of files) {
    const path = join(root, name);
    await parents(path);
    await writeFile(path, content);
    await chmod(path, mode);
  }
  for (const [name, target] of links) {
    await parents(join(root, name));
    await symlink(target, join(root, name));
  }
  await mkdir(join(root, 'void'));
  for (const folder of [...folders, join(root, 'void')]) await chmod(folder, 0o555);
}
