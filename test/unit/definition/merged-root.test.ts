import { describe, expect, test } from 'vitest';
import { toText } from '../../../src/core/bytes.ts';
import { checkCollisions, mergeRoot } from '../../../src/definition/merged-root.ts';
import type { RootDirectory } from '../../../src/definition/root-tree.ts';
import { rootNodeAt, type Sketch, sketchSource, storePath } from './trees.ts';

const A = storePath('a', 'a');
const B = storePath('b', 'b');

const merge = (packages: Record<string, Sketch>, files: 'link' | 'copy' = 'link'): RootDirectory =>
  mergeRoot(Object.keys(packages), files, sketchSource(packages));

const shown = (root: RootDirectory, path: string): string => {
  const node = rootNodeAt(root, path);
  return node?.type === 'symlink' ? `-> ${toText(node.target)}` : (node?.type ?? 'nothing');
};

describe('what is replaceable', () => {
  const built: Sketch = {
    dir: { bin: { dir: { git: { run: 'minimal' }, sh: { run: 'sh' } } }, share: 'a file', man: { dir: { git: '' } } },
  };
  const named: Sketch = {
    dir: { bin: { dir: { git: { run: 'whole' } } }, share: { dir: { doc: '' } }, man: 'a file' },
  };
  const packages = { [A]: named, [B]: built };

  test('gives way to what is named, and is there where nothing is', () => {
    const root = mergeRoot([A], 'link', sketchSource(packages), [B]);
    expect(shown(root, '/bin/git')).toBe(`-> ${A}/bin/git`);
    expect(shown(root, '/bin/sh')).toBe(`-> ${B}/bin/sh`);
    expect(shown(root, '/share/doc')).toBe(`-> ${A}/share/doc`);
    expect(shown(root, '/man')).toBe(`-> ${A}/man`);
  });

  test('is wanted for itself when it is named too, and collides with its own kind', () => {
    expect(shown(mergeRoot([B], 'link', sketchSource(packages), [B]), '/bin/git')).toBe(`-> ${B}/bin/git`);
    expect(() => mergeRoot([A, B], 'link', sketchSource(packages), [B])).toThrow('paths collide');
    expect(() => mergeRoot([], 'link', sketchSource(packages), [A, B])).toThrow('paths collide');
    expect(() => checkCollisions([A], sketchSource(packages), [B])).not.toThrow();
  });
});

describe('mergeRoot', () => {
  const cases: { name: string; packages: Record<string, Sketch>; files?: 'link' | 'copy'; path: string; is: string }[] =
    [
      {
        name: 'links a file into the store',
        packages: { [A]: { dir: { bin: { dir: { x: { run: '1' } } } } } },
        path: '/bin/x',
        is: `-> ${A}/bin/x`,
      },
      {
        name: 'copies a file on request',
        packages: { [A]: { dir: { bin: { dir: { x: { run: '1' } } } } } },
        files: 'copy',
        path: '/bin/x',
        is: 'file',
      },
      {
        name: 'merges directories of two packages',
        packages: { [A]: { dir: { lib: { dir: { a: '1' } } } }, [B]: { dir: { lib: { dir: { b: '2' } } } } },
        path: '/lib/b',
        is: `-> ${B}/lib/b`,
      },
      {
        name: 'keeps a relative link whose target another package brings',
        packages: {
          [A]: { dir: { bin: { dir: { python3: { link: 'python3.11' } } } } },
          [B]: { dir: { bin: { dir: { 'python3.11': { run: '' } } } } },
        },
        path: '/bin/python3',
        is: '-> python3.11',
      },
      {
        name: 'points a relative link at the store when its target did not come along',
        packages: {
          [A]: { dir: { bin: { dir: { x: { link: '../nix-support/x' } } }, 'nix-support': { dir: { x: '1' } } } },
        },
        path: '/bin/x',
        is: `-> ${A}/bin/x`,
      },
      {
        name: 'keeps an absolute link as it is',
        packages: { [A]: { dir: { etc: { dir: { mtab: { link: '/proc/mounts' } } } } } },
        path: '/etc/mtab',
        is: '-> /proc/mounts',
      },
      {
        name: 'leaves nix-support out',
        packages: { [A]: { dir: { 'nix-support': { dir: { deps: '1' } } } } },
        path: '/nix-support',
        is: 'nothing',
      },
      {
        name: 'takes the same content from two packages once',
        packages: { [A]: { dir: { x: 'same' } }, [B]: { dir: { x: 'same' } } },
        path: '/x',
        is: `-> ${A}/x`,
      },
      {
        name: 'takes the same link from two packages once',
        packages: {
          [A]: { dir: { sbin: { link: 'bin' }, bin: { dir: { a: '' } } } },
          [B]: { dir: { sbin: { link: 'bin' }, bin: { dir: { b: '' } } } },
        },
        path: '/sbin',
        is: '-> bin',
      },
      {
        name: 'merges a link to a directory with a directory that comes later',
        packages: {
          [A]: { dir: { sbin: { link: 'bin' }, bin: { dir: { a: '' } } } },
          [B]: { dir: { sbin: { dir: { b: '' } } } },
        },
        path: '/sbin/a',
        is: `-> ${A}/bin/a`,
      },
      {
        name: 'merges a directory with a link to a directory of another store path that comes later',
        packages: {
          [A]: { dir: { share: { dir: { a: '' } } } },
          [B]: { dir: { share: { link: `${storePath('c', 'c')}/share` } } },
          [storePath('c', 'c')]: { dir: { share: { dir: { c: '' } } } },
        },
        path: '/share/c',
        is: `-> ${storePath('c', 'c')}/share/c`,
      },
      {
        name: 'takes a program once that two packages bring by links of different words',
        packages: {
          [A]: { dir: { bin: { dir: { bash: { run: '1' }, sh: { link: 'bash' } } } } },
          [B]: { dir: { bin: { dir: { sh: { link: `${A}/bin/bash` } } } } },
        },
        path: '/bin/sh',
        is: '-> bash',
      },
      {
        name: 'takes a file and a link to it once',
        packages: {
          [A]: { dir: { bin: { dir: { sh: { link: `${B}/bin/sh` } } } } },
          [B]: { dir: { bin: { dir: { sh: { run: '1' } } } } },
        },
        path: '/bin/sh',
        is: `-> ${B}/bin/sh`,
      },
      {
        name: "leaves the index of a package's own manuals out",
        packages: {
          [A]: { dir: { share: { dir: { info: { dir: { dir: '1', 'a.info': '' } } } } } },
          [B]: { dir: { share: { dir: { info: { dir: { dir: '2' } } } } } },
        },
        path: '/share/info/dir',
        is: 'nothing',
      },
    ];
  test.each(cases)('$name', ({ packages, files, path, is }) => {
    expect(shown(merge(packages, files), path)).toBe(is);
  });

  const collisions: { name: string; packages: Record<string, Sketch> }[] = [
    {
      name: 'two links to the directory they are in',
      packages: {
        [A]: { dir: { etc: { dir: { x: { link: '.' } } } } },
        [B]: { dir: { etc: { dir: { x: { link: '../etc' } } } } },
      },
    },
    {
      name: 'two contents',
      packages: { [A]: { dir: { etc: { dir: { x: '1' } } } }, [B]: { dir: { etc: { dir: { x: '2' } } } } },
    },
    {
      name: 'an executable and a plain file',
      packages: { [A]: { dir: { etc: { dir: { x: '1' } } } }, [B]: { dir: { etc: { dir: { x: { run: '1' } } } } } },
    },
    {
      name: 'a file and a directory',
      packages: { [A]: { dir: { etc: { dir: { x: '1' } } } }, [B]: { dir: { etc: { dir: { x: { dir: {} } } } } } },
    },
    {
      name: 'two links',
      packages: {
        [A]: { dir: { etc: { dir: { x: { link: 'a' } } } } },
        [B]: { dir: { etc: { dir: { x: { link: 'b' } } } } },
      },
    },
    {
      name: 'a link out of the store and a directory',
      packages: {
        [A]: { dir: { etc: { dir: { x: { link: '/etc' } } } } },
        [B]: { dir: { etc: { dir: { x: { dir: {} } } } } },
      },
    },
  ];
  test.each(collisions)('refuses $name under one name, naming both packages', ({ packages }) => {
    expect(() => merge(packages)).toThrow(`/etc/x comes from ${A} and, differently, from ${B}`);
  });

  test('lists all collisions at once', () => {
    const files = (text: string): Sketch => ({
      dir: Object.fromEntries(Array.from({ length: 22 }, (_, at) => [`f${at}`, text])),
    });
    const says = (text: string) => expect(() => merge({ [A]: files('1'), [B]: files('2') })).toThrow(text);
    says('22 paths collide:');
    for (const name of ['/f0', '/f1', '/f19']) says(`${name} comes from ${A} and, differently, from ${B}`);
    says('and 2 more');
  });

  test('finds collisions of what is there, and none that what is to be built may resolve', () => {
    const check = (packages: Record<string, Sketch>) => () =>
      checkCollisions(Object.keys(packages), sketchSource(packages));
    const bin = (sh: Sketch): Sketch => ({ dir: { bin: { dir: { sh, bash: { run: '1' } } } } });
    const toUnbuilt = { link: `${storePath('c', 'c')}/bin/bash` };
    expect(check({ [A]: bin({ link: 'bash' }), [B]: bin({ run: '2' }) })).toThrow(/\/bin\/sh comes from/);
    expect(check({ [A]: bin({ link: 'bash' }), [B]: bin(toUnbuilt) })).not.toThrow();
  });

  test('refuses to merge a store path that is a file', () => {
    expect(() => merge({ [A]: 'text' })).toThrow(`${A} is a file, not a directory`);
  });

  test('refuses packages whose links lead into one another without end', () => {
    const mutual = (end: string): Sketch => ({
      dir: { d: { dir: { p: { link: `../e${end}` } } }, e: { dir: { p: { link: `../d${end}` } } } },
    });
    expect(() => merge({ [A]: mutual(''), [B]: mutual('/.') })).toThrow(/\/d\/p\/p\/p and what is below it has no end/);
  });

  test('survives links that form a loop', () => {
    const root = merge({ [A]: { dir: { x: { link: 'y' }, y: { link: 'x' } } } });
    expect(shown(root, '/x')).toBe(`-> ${A}/x`);
  });
});
