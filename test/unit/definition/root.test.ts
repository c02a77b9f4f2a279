import { describe, expect, test } from 'vitest';
import { toText } from '../../../src/core/bytes.ts';
import { accountFiles } from '../../../src/definition/accounts.ts';
import { type DefinitionFile, definitionSchema } from '../../../src/definition/definition.ts';
import type { RootLayer } from '../../../src/definition/layer.ts';
import { assembleRoot } from '../../../src/definition/root.ts';
import type { RootDirectory } from '../../../src/definition/root-tree.ts';
import { rootNodeAt, type Sketch, sketchSource, storePath } from './trees.ts';

const A = storePath('a', 'a');
const info = (path: string) => ({ path, narHash: 'sha256-', narSize: 1, references: [] });

const filesOf = (files: Record<string, object>): Record<string, DefinitionFile> =>
  definitionSchema.parse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [], files }).files;

function assemble(
  files: Record<string, object>,
  tree: Sketch = { dir: {} },
  users: RootLayer['accounts'] = undefined,
  database: Uint8Array | undefined = undefined,
): RootDirectory {
  const layer: RootLayer = {
    kind: 'root',
    copyToRoot: [info(A)],
    replaceable: [],
    rootFiles: 'link',
    files: filesOf(files),
    sources: [],
    linked: [],
    accounts: users,
    database: database && { closure: [], roots: [] },
    over: undefined,
  };
  return assembleRoot(layer, database, sketchSource({ [A]: tree }));
}

describe('assembleRoot', () => {
  test('gives a text file its mode, owner and bytes', () => {
    const node = rootNodeAt(
      assemble({ '/etc/motd': { type: 'text', text: 'grüß\n', mode: '4755', uid: 7, gid: 8 } }),
      '/etc/motd',
    );
    expect(node).toMatchObject({ type: 'file', mode: 0o4755, uid: 7, gid: 8 });
    expect(node?.type === 'file' && node.content).toEqual({ kind: 'bytes', bytes: Buffer.from('grüß\n') });
  });

  test('follows a source that is a link inside the store, and takes its executable bit', () => {
    const tree: Sketch = {
      dir: { bin: { dir: { su: { link: '../libexec/su' } } }, libexec: { dir: { su: { run: 'su' } } } },
    };
    const node = rootNodeAt(
      assemble({ '/usr/local/su': { type: 'source', source: `${A}/bin/su` } }, tree),
      '/usr/local/su',
    );
    expect(node).toMatchObject({ type: 'file', mode: 0o555, content: { kind: 'path', path: `${A}/libexec/su` } });
  });

  test('copies a source that is a directory', () => {
    const root = assemble(
      { '/srv': { type: 'source', source: `${A}/www` } },
      { dir: { www: { dir: { 'index.html': 'hi' } } } },
    );
    expect(rootNodeAt(root, '/srv/index.html')).toMatchObject({ type: 'file', mode: 0o444 });
  });

  test('keeps the mode of a stated directory when files below it are stated too', () => {
    const root = assemble({ '/tmp/x': { type: 'text', text: '' }, '/tmp': { type: 'directory', mode: '1777' } });
    expect(rootNodeAt(root, '/tmp')).toMatchObject({ mode: 0o1777 });
    expect(rootNodeAt(root, '/tmp/x')).toMatchObject({ type: 'file' });
  });

  test('gives the database of Nix to whoever owns its folder, and to a group that may write there', () => {
    const folder = { '/nix/var/nix/db': { type: 'directory', uid: 1000, gid: 100 } };
    const shared = { '/nix/var/nix/db': { type: 'directory', mode: '0775' } };
    const database = rootNodeAt(assemble(shared, undefined, undefined, new Uint8Array(1)), '/nix/var/nix/db/db.sqlite');
    expect(database).toMatchObject({ mode: 0o664 });
    const root = assemble(folder, undefined, undefined, new Uint8Array(1));
    expect(rootNodeAt(root, '/nix/var/nix/db/db.sqlite')).toMatchObject({ uid: 1000, gid: 100, mode: 0o644 });
    expect(rootNodeAt(assemble({}, undefined, undefined, new Uint8Array(1)), '/nix/var/nix/db/schema')).toMatchObject({
      uid: 0,
      gid: 0,
    });
  });

  test('replaces a package file by a stated one', () => {
    const root = assemble({ '/etc/x': { type: 'text', text: 'mine' } }, { dir: { etc: { dir: { x: 'theirs' } } } });
    expect(rootNodeAt(root, '/etc/x')).toMatchObject({ type: 'file', origin: 'files."/etc/x"' });
  });

  test('follows a merged link to a directory on the way to a file', () => {
    const root = assemble(
      { '/bin/sh': { type: 'symlink', target: 'busybox' } },
      { dir: { bin: { link: 'usr/bin' }, usr: { dir: { bin: { dir: {} } } } } },
    );
    const node = rootNodeAt(root, '/usr/bin/sh');
    expect(node?.type === 'symlink' && toText(node.target)).toBe('busybox');
  });

  const refused: [string, Record<string, object>, Sketch, string][] = [
    [
      'a stated file over a directory',
      { '/etc': { type: 'text', text: '' } },
      { dir: { etc: { dir: {} } } },
      '/etc comes from',
    ],
    [
      'a file below a file',
      { '/etc/x/y': { type: 'text', text: '' } },
      { dir: { etc: { dir: { x: '' } } } },
      '/etc/x is a symlink',
    ],
    ['a source that is not there', { '/x': { type: 'source', source: `${A}/nope` } }, { dir: {} }, 'is not there'],
    [
      'a source that leads out of the store',
      { '/x': { type: 'source', source: `${A}/l` } },
      { dir: { l: { link: '/etc/passwd' } } },
      'leads out of the store',
    ],
  ];
  test.each(refused)('refuses %s', (_name, files, tree, message) => {
    expect(() => assemble(files, tree)).toThrow(message);
  });

  test('refuses accounts beside a package that brings /etc/passwd', () => {
    const accounts = accountFiles({ app: { uid: 1000, gid: 1000, description: '', home: '/', shell: '/bin/sh' } }, {});
    expect(() => assemble({}, { dir: { etc: { dir: { passwd: '' } } } }, accounts)).toThrow(
      /\/etc\/passwd comes from .*a \(symlink\) and from users/,
    );
  });
});

describe('accountFiles', () => {
  test('adds root, nobody and primary groups, sorted by number, passwords locked', () => {
    const files = accountFiles(
      { app: { uid: 1000, gid: 1000, description: 'The app', home: '/srv', shell: '/bin/sh' } },
      { wheel: { gid: 10, members: ['app'] } },
    );
    expect(files).toEqual({
      passwd:
        'root:x:0:0:System administrator:/root:/bin/sh\n' +
        'app:x:1000:1000:The app:/srv:/bin/sh\n' +
        'nobody:x:65534:65534:Unprivileged account:/var/empty:/bin/false\n',
      group: 'root:x:0:\nwheel:x:10:app\napp:x:1000:\nnobody:x:65534:\n',
      shadow: 'root:!:1::::::\napp:!:1::::::\nnobody:!:1::::::\n',
    });
  });

  test('makes nothing when nothing is asked', () => {
    expect(accountFiles({}, {})).toBeUndefined();
  });

  test('gives a primary group another name where the user has a group of his name with another number', () => {
    const files = accountFiles(
      { app: { uid: 1000, gid: 1000, description: '', home: '/', shell: '/bin/sh' } },
      { app: { gid: 7, members: [] } },
    );
    expect(files?.group).toContain('app:x:7:\napp-1000:x:1000:\n');
  });

  test('leaves a stated root alone', () => {
    const files = accountFiles({ admin: { uid: 0, gid: 0, description: '', home: '/', shell: '/bin/sh' } }, {});
    expect(files?.passwd.split('\n')[0]).toBe('admin:x:0:0::/:/bin/sh');
    expect(files?.passwd).not.toContain('root:');
  });
});
