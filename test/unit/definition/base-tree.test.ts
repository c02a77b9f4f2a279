import { expect, test } from 'vitest';
import { baseOf, type LayerSketch } from './bases.ts';

/** What a container sees at some paths: a directory with its mode and folders, a link, a file, nothing. */
const cases: [what: string, layers: LayerSketch[], sees: Record<string, string>][] = [
  [
    'a plain layer',
    [['a/ 700 1:2', 'a/b/', 'a/f', 'l -> a']],
    { a: 'd700 b', 'a/b': 'd755 ', 'a/f': 'f', l: '-> a', x: '' },
  ],
  ['folders that no entry states', [['a/b/f']], { '': 'd755 a', a: 'd755 b', 'a/b/f': 'f' }],
  ['names with dots and slashes', [['./a/', './/a/./f']], { 'a/f': 'f' }],
  ['names that lead above the root', [['../../a/../b/f']], { 'b/f': 'f', a: '' }],
  ['a directory stated again', [['a/ 700 0:0', 'a/b/'], ['a/ 750 0:0']], { a: 'd750 b' }],
  ['a directory that a layer only passes through', [['a/ 700 0:0'], ['a/f']], { a: 'd700 ', 'a/f': 'f' }],
  ['a file for a directory, and back', [['a/', 'a/b/'], ['a'], ['a/']], { a: 'd755 ', 'a/b': '' }],
  [
    'a whiteout',
    [
      ['a/', 'a/f', 'b'],
      ['.wh.a', '.wh.b'],
    ],
    { a: '', 'a/f': '', b: '' },
  ],
  ['a whiteout of nothing', [['a/'], ['.wh.x', 'a/.wh.y']], { a: 'd755 ', x: '' }],
  [
    'a whiteout and the same name in one layer',
    [
      ['a/', 'a/f'],
      ['.wh.a', 'a/', 'a/g'],
    ],
    { 'a/f': '', 'a/g': 'f' },
  ],
  [
    'the same in the other order',
    [
      ['a/', 'a/f'],
      ['a/', 'a/g', '.wh.a'],
    ],
    { 'a/f': '', 'a/g': 'f' },
  ],
  ['a whiteout before a folder that no entry states', [['a/f'], ['.wh.a', 'a/g']], { 'a/f': '', 'a/g': 'f' }],
  [
    'an opaque directory',
    [
      ['a/', 'a/f', 'a/b/'],
      ['a/', 'a/g', 'a/.wh..wh..opq'],
    ],
    { a: 'd755 ', 'a/f': '', 'a/g': 'f' },
  ],
  [
    'an opaque directory, told first',
    [
      ['a/', 'a/f'],
      ['a/.wh..wh..opq', 'a/ 700 0:0'],
    ],
    { a: 'd700 ', 'a/f': '' },
  ],
  [
    'a directory over a link of a lower layer',
    [['bin -> usr/bin', 'usr/bin/sh'], ['bin/x']],
    { bin: 'd755 ', 'usr/bin/x': '' },
  ],
  ['a link of the same layer', [['usr/bin/', 'bin -> usr/bin', 'bin/x']], { bin: '-> usr/bin', 'usr/bin/x': 'f' }],
  ['a loop of links in a layer', [['a -> b', 'b -> a', 'a/x']], {}],
  ['hard links', [['etc/passwd = x', 'etc/p => etc/passwd', 'h => gone']], { 'etc/p': 'f x', h: 'f' }],
];

test.each(cases)('%s', (_what, layers, sees) => {
  const view = baseOf(...layers);
  for (const [path, seen] of Object.entries(sees)) {
    const node = view.node(path);
    const said =
      node?.type === 'directory'
        ? `d${node.mode.toString(8)} ${[...node.folders].join(' ')}`
        : node?.type === 'symlink'
          ? `-> ${node.target}`
          : node
            ? `f${node.accounts ? ` ${node.accounts.text}` : ''}`
            : '';
    expect(said, path).toBe(seen);
  }
});
