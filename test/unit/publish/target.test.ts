import { describe, expect, test } from 'vitest';
import { checkFileDestinations, checkRoom, chooseTags, filesFirst, mergeTargets } from '../../../src/publish/target.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import { formatLocation, parseLocation } from '../../../src/storage/location.ts';

describe('chooseTags', () => {
  test.each<[string, string[], string | null, string[]]>([
    ['ghcr.io/org/app', [], null, ['latest']],
    ['ghcr.io/org/app', [], 'v7', ['v7']],
    ['ghcr.io/org/app', ['a', 'b'], 'v7', ['a', 'b']],
    ['ghcr.io/org/app:x', ['a', 'x'], 'v7', ['x', 'a']],
    ['oci:out:x', [], 'v7', ['x']],
    ['docker-archive:out.tar:app:x', [], 'v7', ['x']],
    ['docker-archive:out.tar', [], 'v7', ['v7']],
  ])('%s with %j, the definition says %s: %j', (destination, asked, own, tags) => {
    expect(chooseTags(parseLocation(destination), asked, own)).toEqual(tags);
  });

  test.each<[string, string | null]>([
    ['oci:out', 'v1..2'],
    ['oci-archive:out.tar', '_x'],
    ['ghcr.io/org/app', '../../other/manifests/x'],
    ['docker-archive:out.tar', 'a b'],
  ])('%s refuses the tag %s', (destination, own) => {
    expect(() => chooseTags(parseLocation(destination), [], own)).toThrow('is not a valid tag');
  });
});

test('registries come last', () => {
  const given = ['ghcr.io/a', 'oci:b', 'ghcr.io/c', 'oci-archive:d'];
  const ordered = filesFirst(given.map(parseLocation)).map(formatLocation);
  expect(ordered).toEqual(['oci:b', 'oci-archive:d', 'docker://ghcr.io/a', 'docker://ghcr.io/c']);
});

test('targets in one place become one', () => {
  const target = (path: string, ...tags: string[]) => ({
    repository: new LayoutRepository(path),
    kind: 'oci' as const,
    tags,
  });
  const merged = mergeTargets([target('a', '1', '2'), target('b', '1'), target('a', '2', '3')]);
  expect(merged.map(({ repository, tags }) => [repository.name, tags])).toEqual([
    ['oci:a', ['1', '2', '3']],
    ['oci:b', ['1']],
  ]);
});

test.each([
  ['docker-archive:a.tar', 1, true],
  ['docker-archive:a.tar', 2, false],
  ['oci-archive:a.tar', 2, true],
])('%s has room for %i platforms: %s', (destination, platforms, fits) => {
  const check = expect(() => checkRoom([parseLocation(destination)], platforms));
  if (fits) check.not.toThrow();
  else check.toThrow('holds one platform, and there are 2');
});

test.each([
  [['oci-archive:a.tar:1', 'oci-archive:a.tar:2'], true],
  [['docker-archive:a.tar:app:1', 'docker-archive:a.tar:app:2'], true],
  [['docker-archive:a.tar:app:1', 'docker-archive:a.tar:other:1'], false],
  [['docker-archive:a.tar', 'oci-archive:a.tar'], false],
  [['oci-archive:a.tar', 'oci-archive:b.tar'], true],
])('%j can be written together: %s', (destinations, fits) => {
  const check = expect(() => checkFileDestinations(destinations.map(parseLocation)));
  if (fits) check.not.toThrow();
  else check.toThrow('are one file');
});
