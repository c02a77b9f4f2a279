import { join } from 'node:path';
import type { Subject } from './subject.ts';

/** A scratch image of one layer with buildah, in a storage of its own, and its push. */
export const buildah = (version: string): Subject => ({
  name: `buildah ${version}, add + commit + push, gzip`,
  kind: 'peer',
  codec: 'gzip',
  version: `buildah ${version}`,
  once: true,
  cases: ['cold'],
  input: 'tar',
  commands: ({ inputs, reference, scratch }) => {
    const storage = ['--root', join(scratch, 'graph'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];
    const step = (...args: string[]) => ({ program: 'buildah', args: [...storage, ...args] });
    return [
      step('from', '--name', 'bench', 'scratch'),
      step('add', '--quiet', 'bench', inputs.tar, '/'),
      step('commit', '--quiet', '--rm', 'bench', 'bench'),
      step('push', '--quiet', '--tls-verify=false', 'bench', `docker://${reference}`),
    ];
  },
});
