import { describe, expect, test } from 'vitest';
import { formatRecord, NotRemembered, parseRecord, rememberedView } from '../../../src/definition/base-record.ts';
import { noting } from '../../../src/definition/base-view.ts';
import { baseOf } from './bases.ts';

const ID = 'a'.repeat(64);
const base = baseOf([
  'tmp/ 1777 0:0',
  'usr/',
  'usr/bin/',
  'bin -> usr/bin',
  'f',
  'etc/passwd = grüß:x:0:0:::\n',
  '__proto__/ 700 1:1',
]);
const PATHS = ['', 'tmp', 'bin', 'f', 'etc/passwd', 'nothing', '__proto__'];

describe('a record of a base', () => {
  test('gives the same answers as the base did, whatever the order of the questions', () => {
    const texts = [PATHS, PATHS.toReversed()].map((paths) => {
      const { view, asked } = noting(base);
      for (const path of paths) view.node(path);
      return formatRecord({ base: ID, nodes: asked });
    });
    expect(texts[0]).toBe(texts[1]);
    const record = parseRecord(texts[0] ?? '');
    const view = rememberedView('x', record ? [record] : []);
    for (const path of PATHS) expect(view.node(path)).toEqual(base.node(path));
    expect(() => view.node('else')).toThrow(NotRemembered);
  });

  test('is not carried along when it is too large', () => {
    const nodes = new Map([['l', { type: 'symlink' as const, target: 'x'.repeat(100_000) }]]);
    expect(formatRecord({ base: ID, nodes })).toBeUndefined();
  });

  const wrong: [string, unknown][] = [
    ['no JSON', '{'],
    ['another shape', { base: ID }],
    ['no name of a base', { base: 'x', nodes: {} }],
    ['a mode that is no number', { base: ID, nodes: { '/a': ['d', ['7', 0, 0, 0], []] } }],
    ['a negative owner', { base: ID, nodes: { '/a': ['d', [7, -1, 0, 0], []] } }],
    ['a kind that is not known', { base: ID, nodes: { '/a': ['x'] } }],
    ['more than there may be', `${JSON.stringify({ base: ID, nodes: {} })}${' '.repeat(100_000)}`],
  ];
  test.each(wrong)('is nothing with %s', (_what, text) => {
    expect(parseRecord(typeof text === 'string' ? text : JSON.stringify(text))).toBeUndefined();
  });
});
