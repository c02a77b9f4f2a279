import { describe, expect, test } from 'vitest';
import { type HandoverLabel, labelAnnotations, readLabel } from '../../../src/handover/label.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { NO_TESTS } from '../../../src/trial/trial.ts';

const label: HandoverLabel = {
  version: 1,
  name: 'team/app',
  tag: 'v1',
  system: 'x86_64-linux',
  systems: ['x86_64-linux'],
  mode: 'registry',
  destination: 'docker://ghcr.io/team/app',
  run: null,
  tests: NO_TESTS,
};

const read = (changed: object): HandoverLabel | undefined => {
  const annotations = labelAnnotations({ ...label, ...changed });
  return readLabel({ mediaType: 'x', digest: digestOf(Buffer.from('')), size: 0, annotations }, 'h');
};

describe('readLabel', () => {
  test.each<[string, object]>([
    ['with a registry', {}],
    ['with its layers', { mode: 'artifact', destination: null }],
    ['without tag', { tag: null }],
  ])('takes a label %s', (_name, changed) => {
    expect(read(changed)).toEqual({ ...label, ...changed });
  });

  test.each<[string, object]>([
    ['a folder as destination', { destination: 'oci:/home/somebody/layout' }],
    ['an archive as destination', { destination: 'docker-archive:/etc/x.tar' }],
    ['no destination in mode registry', { destination: null }],
    ['a destination in mode artifact', { mode: 'artifact' }],
    ['a name that leads out of a folder', { name: '..' }],
    ['a tag that is a path', { tag: '../../other/manifests/x' }],
    ['a tag with a line end', { tag: 'a\n' }],
  ])('refuses %s', (_name, changed) => {
    expect(() => read(changed)).toThrow('its label is not legal');
  });
});
