import { readdir, readlink } from 'node:fs/promises';

/** Files below `path`, or itself, that this process has open. */
export async function openFiles(path: string): Promise<string[]> {
  const numbers = await readdir('/proc/self/fd');
  const names = await Promise.all(numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')));
  return names.filter((name) => name.startsWith(path));
}
