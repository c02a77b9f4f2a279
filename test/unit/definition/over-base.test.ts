import { describe, expect, test } from 'vitest';
import { toText } from '../../../src/core/bytes.ts';
import { accountFiles } from '../../../src/definition/accounts.ts';
import type { BaseView } from '../../../src/definition/base-view.ts';
import { type DefinitionFile, definitionSchema } from '../../../src/definition/definition.ts';
import type { RootLayer } from '../../../src/definition/layer.ts';
import { assembleRoot } from '../../../src/definition/root.ts';
import { baseOf, type LayerSketch, linesOf } from './bases.ts';
import { rootNodeAt, type Sketch, sketchSource, storePath } from './trees.ts';

const A = storePath('a', 'a');
const B = storePath('b', 'b');

interface Own {
  readonly files?: Readonly<Record<string, object>>;
  readonly a?: Sketch;
  readonly b?: Sketch;
  readonly users?: Readonly<Record<string, object>>;
  readonly groups?: Readonly<Record<string, object>>;
  readonly database?: boolean;
}

const info = (path: string) => ({ path, narHash: 'sha256-', narSize: 1, references: [] });

function assemble({ files = {}, a, b, users = {}, groups = {}, database }: Own, base: BaseView) {
  const own = definitionSchema.parse({ schemaVersion: 1, kind: 'oci', name: 'x', roots: [], files, users, groups });
  const packages = { ...(a ? { [A]: a } : {}), ...(b ? { [B]: b } : {}) };
  const layer: RootLayer = {
    kind: 'root',
    copyToRoot: Object.keys(packages).map(info),
    replaceable: [],
    rootFiles: 'link',
    files: own.files as Record<string, DefinitionFile>,
    sources: [],
    linked: [],
    accounts: accountFiles(own.users, own.groups),
    database: database ? { closure: [], roots: [] } : undefined,
    over: { base: 'x', users: own.users, groups: own.groups },
  };
  return assembleRoot(layer, database ? new Uint8Array(1) : undefined, sketchSource(packages), base);
}

const text = { type: 'text', text: '' };
const directory = { type: 'directory' };
const tool: Sketch = { dir: { bin: { dir: { tool: { run: 'x' } } } } };
const MERGED_USR: LayerSketch = ['usr/', 'usr/bin/', 'usr/bin/sh', 'bin -> usr/bin'];
const TOOL = `-> ${A}/bin/tool`;

describe('a root layer over a base', () => {
  const cases: [what: string, own: Own, layers: LayerSketch[], written: string[]][] = [
    [
      'keeps the mode, owner and time of a directory that is only on the way',
      { files: { '/tmp/x': text, '/root/.profile': text, '/srv/app/a/b': text } },
      [['tmp/ 1777 0:0', 'root/ 700 0:0', 'srv/', 'srv/app/ 2770 1000:100']],
      [
        '/root/ 700 0:0 then',
        '/root/.profile 644 0:0',
        '/srv/ 755 0:0 then',
        '/srv/app/ 2770 1000:100 then',
        '/srv/app/a/ 755 0:0',
        '/srv/app/a/b 644 0:0',
        '/tmp/ 1777 0:0 then',
        '/tmp/x 644 0:0',
      ],
    ],
    ['keeps that of a package too', { a: { dir: { tmp: { dir: {} } } } }, [['tmp/ 1777 0:0']], ['/tmp/ 1777 0:0 then']],
    ['makes what the base has not', { files: { '/tmp/x': text } }, [[]], ['/tmp/ 755 0:0', '/tmp/x 644 0:0']],
    [
      'lets a stated directory win with what it states',
      { files: { '/a': { ...directory, mode: '0750' }, '/b': { ...directory, uid: 7 }, '/c': directory } },
      [['a/ 1777 1:1', 'b/ 1777 1:1', 'c/ 1777 1:1']],
      ['/a/ 750 0:0 then', '/b/ 1777 7:0 then', '/c/ 1777 1:1 then'],
    ],
    [
      'writes through a link of the base',
      { a: tool },
      [MERGED_USR],
      ['/usr/ 755 0:0 then', '/usr/bin/ 755 0:0 then', `/usr/bin/tool ${TOOL}`],
    ],
    [
      'through absolute links, chains and ..',
      { a: tool },
      [
        [
          'bin -> one',
          'one -> /two/../three/x',
          'three/',
          'three/x -> ../../deep/bin',
          'two/',
          'deep/ 700 5:5',
          'deep/bin/',
        ],
      ],
      ['/deep/ 700 5:5 then', '/deep/bin/ 755 0:0 then', `/deep/bin/tool ${TOOL}`],
    ],
    [
      'never above the root',
      { files: { '/bin/x': text } },
      [['bin -> ../../../../etc/bin', 'etc/ 711 0:0']],
      ['/etc/ 711 0:0 then', '/etc/bin/ 755 0:0', '/etc/bin/x 644 0:0'],
    ],
    [
      'through a link to what is not there yet',
      { files: { '/var/run/x': text } },
      [['var/', 'var/run -> /run']],
      ['/run/ 755 0:0', '/run/x 644 0:0', '/var/ 755 0:0 then'],
    ],
    ['through a link to the root itself', { files: { '/sysroot/x': text } }, [['sysroot -> /']], ['/x 644 0:0']],
    [
      'joins what comes to one place on two ways',
      { a: tool, files: { '/usr/bin/other': text } },
      [MERGED_USR],
      ['/usr/ 755 0:0 then', '/usr/bin/ 755 0:0 then', '/usr/bin/other 644 0:0', `/usr/bin/tool ${TOOL}`],
    ],
    [
      'where a stated file wins over a package',
      { a: tool, files: { '/usr/bin/tool': text } },
      [MERGED_USR],
      ['/usr/ 755 0:0 then', '/usr/bin/ 755 0:0 then', '/usr/bin/tool 644 0:0'],
    ],
    [
      'replaces files and links of the base by files and links',
      {
        a: { dir: { bin: { dir: { sh: { run: '' } } } } },
        files: { '/etc/motd': text, '/etc/l': { type: 'symlink', target: 'x' } },
      },
      [[...MERGED_USR, 'etc/', 'etc/motd -> /run/motd', 'etc/l']],
      [
        '/etc/ 755 0:0 then',
        '/etc/l -> x',
        '/etc/motd 644 0:0',
        '/usr/ 755 0:0 then',
        '/usr/bin/ 755 0:0 then',
        `/usr/bin/sh -> ${A}/bin/sh`,
      ],
    ],
    [
      "merges a package's link to a directory with a directory of the base",
      { a: { dir: { bin: { dir: { tool: { run: 'x' } } }, sbin: { link: 'bin' } } } },
      [['bin/', 'sbin/ 711 0:0', 'sbin/init']],
      ['/bin/ 755 0:0 then', `/bin/tool ${TOOL}`, '/sbin/ 711 0:0 then', `/sbin/tool ${TOOL}`],
    ],
    [
      'and with a link of the base to one',
      { a: { dir: { bin: { dir: { tool: { run: 'x' } } }, sbin: { link: 'bin' } } } },
      [[...MERGED_USR, 'usr/sbin/', 'sbin -> usr/sbin']],
      [
        '/usr/ 755 0:0 then',
        '/usr/bin/ 755 0:0 then',
        `/usr/bin/tool ${TOOL}`,
        '/usr/sbin/ 755 0:0 then',
        `/usr/sbin/tool ${TOOL}`,
      ],
    ],
    [
      'replaces a link of the base where a link is stated',
      { files: { '/bin': { type: 'symlink', target: '/sw/bin' } } },
      [MERGED_USR],
      ['/bin -> /sw/bin'],
    ],
    [
      'sees the base as its upper layers leave it',
      { files: { '/a/x': text, '/b/x': text, '/c/d/x': text } },
      [
        ['a/ 700 0:0', 'b -> a', 'c/', 'c/d/ 700 0:0'],
        ['.wh.a', '.wh.b', 'c/.wh..wh..opq'],
      ],
      [
        '/a/ 755 0:0',
        '/a/x 644 0:0',
        '/b/ 755 0:0',
        '/b/x 644 0:0',
        '/c/ 755 0:0 then',
        '/c/d/ 755 0:0',
        '/c/d/x 644 0:0',
      ],
    ],
  ];
  test.each(cases)('%s', (_what, own, layers, written) => {
    expect(linesOf(assemble(own, baseOf(...layers)))).toEqual(written);
  });

  const refused: [what: string, own: Own, layer: LayerSketch, says: string[]][] = [
    [
      'a file over a directory',
      { files: { '/etc': text } },
      ['etc/'],
      ['/etc is a file from files."/etc"', 'a directory in fromImage base'],
    ],
    [
      'a link over a directory',
      { files: { '/bin': { type: 'symlink', target: 'x' } } },
      ['bin/'],
      ['/bin is a link from', 'a directory in fromImage base'],
    ],
    ["a package's file over a directory", { a: tool }, ['bin/', 'bin/tool/'], ['/bin/tool', A, 'fromImage base']],
    [
      'a directory over a file',
      { files: { '/etc/x/y': text } },
      ['etc/', 'etc/x'],
      ['/etc/x is a directory from files."/etc/x/y"', 'a file in fromImage base'],
    ],
    ['a file behind a link', { a: tool }, ['bin -> usr/bin', 'usr'], [A, '/usr of fromImage base is a file']],
    ['a loop', { a: tool }, ['bin -> b', 'b -> bin'], [A, 'of fromImage base is a loop of links']],
    ['a link to itself', { a: tool }, ['bin -> ./bin'], [A, 'loop']],
    [
      'a way through a link that is replaced',
      { files: { '/x/y': text, '/l': { type: 'symlink', target: 'm' } } },
      ['x -> l', 'l -> n', 'n/'],
      ['files."/x/y"', 'files."/l"', 'fromImage base'],
    ],
    [
      'two packages that meet behind a link',
      { a: tool, b: { dir: { usr: { dir: { bin: { dir: { tool: { run: 'other' } } } } } } } },
      MERGED_USR,
      [A, B, '/usr/bin/tool'],
    ],
    [
      'two databases of Nix',
      { database: true },
      ['nix/', 'nix/var/', 'nix/var/nix/', 'nix/var/nix/db/', 'nix/var/nix/db/db.sqlite'],
      ['includeNixDB', 'fromImage base'],
    ],
  ];
  test.each(refused)('refuses %s, naming both', (_what, own, layer, says) => {
    for (const part of says) expect(() => assemble(own, baseOf(layer))).toThrow(part);
  });
});

describe('accounts over a base', () => {
  const PASSWD =
    'root:x:0:0:root:/root:/bin/bash\n# a comment\nwww-data:x:33:33:www:/var/www:/bin/false\n+nis\nnode:x:1000:1000::/home/node:/bin/sh\n';
  const GROUP = 'root:x:0:\nwww-data:x:33:\nssl:x:101:node\nnode:x:1000:\n';
  const SHADOW = 'root:*:1:0:99999:7:::\nnode:$6$x:1::::::\n';
  const base = (...more: string[]) =>
    baseOf(['etc/', `etc/passwd = ${PASSWD}`, `etc/group = ${GROUP}`, `etc/shadow = ${SHADOW}`, ...more]);
  const of = (own: Own, view: BaseView, file: string): string | undefined => {
    const node = rootNodeAt(assemble(own, view), `/etc/${file}`);
    return node?.type === 'file' && node.content.kind === 'bytes'
      ? Buffer.from(node.content.bytes).toString()
      : undefined;
  };
  const app = { uid: 2000, gid: 2000, description: 'grüß', home: '/', shell: '/bin/sh' };

  test("are added to the base's, in its order, with its modes and owners", () => {
    const own = { users: { app } };
    const nobody = 'nobody:x:65534:65534:Unprivileged account:/var/empty:/bin/false\n';
    expect(of(own, base(), 'passwd')).toBe(`${PASSWD}app:x:2000:2000:grüß:/:/bin/sh\n${nobody}`);
    expect(of(own, base(), 'group')).toBe(`${GROUP}app:x:2000:\nnobody:x:65534:\n`);
    expect(of(own, base(), 'shadow')).toBe(`${SHADOW}app:!:1::::::\nnobody:!:1::::::\n`);
    expect(of(own, base(), 'gshadow')).toBeUndefined();
    expect(rootNodeAt(assemble(own, base()), '/etc/shadow')).toMatchObject({ mode: 0o640, uid: 0, gid: 42 });
  });

  test('replace those of the same name in their place', () => {
    const own = { users: { node: { ...app, uid: 1001, gid: 33 } }, groups: { ssl: { gid: 102, members: ['node'] } } };
    expect(of(own, base(), 'passwd')).toContain('+nis\nnode:x:1001:33:grüß:/:/bin/sh\n');
    expect(of(own, base(), 'group')).toBe(`${GROUP.replace('ssl:x:101:node', 'ssl:x:102:node')}nobody:x:65534:\n`);
    expect(of(own, base(), 'shadow')).toContain('node:!:1::::::\n');
  });

  test('take a primary group of the base, and another name where theirs is taken', () => {
    expect(of({ users: { app: { ...app, gid: 101 } } }, base(), 'group')).toBe(`${GROUP}nobody:x:65534:\n`);
    const taken = { users: { ssl: app } };
    expect(of(taken, base(), 'group')).toContain('\nssl-2000:x:2000:\n');
  });

  test('have a line in gshadow where the base has one', () => {
    const own = { groups: { app: { gid: 2000, members: ['node'] } } };
    expect(of(own, base('etc/gshadow = root:*::\n'), 'gshadow')).toBe('root:*::\napp:!::node\nnobody:!::\n');
  });

  test('are as without a base where it has none, and follow its links', () => {
    expect(of({ users: { app } }, baseOf([]), 'passwd')).toMatch(/^root:.*\napp:.*\nnobody:.*\n$/);
    const linked = baseOf([
      'etc -> /private/etc',
      'private/',
      'private/etc/ 700 0:0',
      `private/etc/passwd = ${PASSWD}`,
    ]);
    const root = assemble({ users: { app } }, linked);
    expect(linesOf(root)).toContain('/private/etc/ 700 0:0 then');
    expect(rootNodeAt(root, '/private/etc/passwd')).toMatchObject({ mode: 0o640, gid: 42 });
  });

  test('keep bytes that are no UTF-8 as they are', () => {
    const view = baseOf(['etc/', 'etc/passwd = x']);
    const odd: BaseView = {
      name: view.name,
      node: (path) => {
        const node = view.node(path);
        return node?.type === 'file' && node.accounts
          ? { ...node, accounts: { ...node.accounts, text: 'old:x:5:5:M\xfcller:/:/bin/sh\n' } }
          : node;
      },
    };
    const node = rootNodeAt(assemble({ users: { app } }, odd), '/etc/passwd');
    expect(
      node?.type === 'file' && node.content.kind === 'bytes' && Buffer.from(node.content.bytes).includes(0xfc),
    ).toBe(true);
    expect(toText('M\xfcller')).not.toBe('Müller');
  });

  const refused: [string, Own, BaseView, string[]][] = [
    [
      'a number that another user has',
      { users: { app: { ...app, uid: 1000 } } },
      base(),
      ['users.app: uid 1000', "user 'node' in fromImage base"],
    ],
    [
      'a number that another group has',
      { groups: { web: { gid: 33, members: [] } } },
      base(),
      ['groups.web: gid 33', "group 'www-data' in fromImage base"],
    ],
    [
      'a damaged file',
      { users: { app } },
      baseOf(['etc/', 'etc/passwd = root:x:zero:0:::\n']),
      ['/etc/passwd of fromImage base: line 1'],
    ],
    [
      'a link to what is not read',
      { users: { app } },
      baseOf(['etc/', 'etc/passwd -> ../lib/p', 'lib/', 'lib/p']),
      ['/lib/p of fromImage base'],
    ],
    [
      'a directory',
      { users: { app } },
      baseOf(['etc/', 'etc/passwd/']),
      ['/etc/passwd of fromImage base is a directory'],
    ],
  ];
  test.each(refused)('refuse %s', (_what, own, view, says) => {
    for (const part of says) expect(() => assemble(own, view)).toThrow(part);
  });
});
