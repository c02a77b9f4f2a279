import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Podman } from './podman.ts';

/** What a container's root looks like, for as long as `use` runs. */
export async function withRootfs<T>(podman: Podman, image: string, use: (root: string) => Promise<T>): Promise<T> {
  const created = await podman.run(['create', '--tls-verify=false', image, '/nothing']);
  if (created.exitCode !== 0) throw new Error(created.stderr);
  const id = created.stdout.trim();
  try {
    const mounted = await podman.run(['mount', id]);
    if (mounted.exitCode !== 0) throw new Error(mounted.stderr);
    return await use(mounted.stdout.trim());
  } finally {
    await podman.run(['rm', '--force', id]);
  }
}

/** Every entry below a folder as `TYPE MODE TARGET-OR-SHA256`, by its name as bytes (binary text). */
export async function describeTree(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const visit = async (path: Buffer, name: string): Promise<void> => {
    const stats = lstatSync(path);
    const mode = (stats.mode & 0o7777).toString(8);
    if (stats.isSymbolicLink()) found.set(name, `link ${readlinkSync(path, 'buffer').toString('latin1')}`);
    else if (stats.isFile()) found.set(name, `file ${mode} ${stats.size} ${await sha256(path)}`);
    else {
      found.set(name, `directory ${mode}`);
      for (const child of readdirSync(path, 'buffer')) {
        await visit(Buffer.concat([path, Buffer.from('/'), child]), `${name}/${child.toString('latin1')}`);
      }
    }
  };
  await visit(Buffer.from(root), '');
  return found;
}

async function sha256(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}
