import { describe, expect, test } from 'vitest';
import { plannedArchives } from '../../fixtures/debian/apt.ts';
import { type Control, dependencyGraph, parseControl } from '../../fixtures/debian/control.ts';

const control = (name: string, depends: string[][] = [], provides: string[] = []): Control => ({
  name,
  version: '1',
  depends,
  provides,
});

describe('parseControl', () => {
  test('reads alternatives, versions, architectures and virtual names', () => {
    const text = [
      'Package: python3',
      'Version: 3.11.2-1+b1',
      'Provides: python3-profiler, virtual (= 1)',
      'Pre-Depends: python3-minimal (= 3.11.2-1+b1)',
      'Depends: libc6 (>= 2.14), awk | mawk:any [amd64]',
      'Description: interactive high-level language',
      ' Depends: this is a continuation line',
      '',
    ].join('\n');
    expect(parseControl(text)).toEqual({
      name: 'python3',
      version: '3.11.2-1+b1',
      depends: [['python3-minimal'], ['libc6'], ['awk', 'mawk']],
      provides: ['python3-profiler', 'virtual'],
    });
  });

  test('refuses what is no package', () => {
    expect(() => parseControl('Package: x\n')).toThrow('without Package or Version');
  });
});

describe('dependencyGraph', () => {
  test('keeps what is there, by its own or a provided name', () => {
    const graph = dependencyGraph([control('a', [['gone'], ['gone', 'virtual']]), control('b', [], ['virtual'])]);
    expect(graph).toEqual({ a: { version: '1', dependencies: ['b'] }, b: { version: '1', dependencies: [] } });
  });

  test('drops the edges that close a cycle, whatever the order it is given', () => {
    const controls = [control('a', [['b']]), control('b', [['c']]), control('c', [['a'], ['c']])];
    const expected = { a: ['b'], b: ['c'], c: [] };
    for (const order of [controls, [...controls].reverse()]) {
      const graph = dependencyGraph(order);
      expect(Object.fromEntries(Object.entries(graph).map(([name, node]) => [name, node.dependencies]))).toEqual(
        expected,
      );
    }
  });
});

test('plannedArchives names the files as apt does', () => {
  const plan = [
    'Inst libcrypt1 (1:4.4.33-2 Debian:12.9/stable [arm64])',
    'Inst libc6:arm64 (2.36-9+deb12u14 Debian:12.9/stable, Debian-Security:12/stable-security [arm64]) []',
    'Conf libc6 (2.36-9+deb12u14 Debian:12.9/stable [arm64])',
  ].join('\n');
  expect(plannedArchives(plan)).toEqual(['libcrypt1_1%3a4.4.33-2_arm64.deb', 'libc6_2.36-9+deb12u14_arm64.deb']);
});
