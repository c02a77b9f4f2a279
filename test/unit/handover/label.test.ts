import { describe, expect, test } from 'vitest';
import { type HandoverLabel, labelAnnotations, readLabel } from '../../../src/handover/label.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { NO_TESTS } from '../../../src/test-run/test-run.ts';

const label: HandoverLabel = {
  version: 1,
  name: 'team/app',
  tag: 'v1',
  kind: 'container',
  system: 'x86_64-linux',
  systems: ['x86_64-linux'],
  mode: 'registry',
  destination: 'docker://ghcr.io/team/app',
  run: null,
  call: null,
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
    ['of a call', { call: '0123abcd' }],
    [
      'with tests that passed',
      { tests: { ...NO_TESTS, runtime: 'podman 5.4.2', passed: [{ name: 'a', milliseconds: 7 }] } },
    ],
    ['with tests that were not run', { tests: { ...NO_TESTS, notRun: 'they are switched off', skipped: ['a'] } }],
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
    ['tests in the words of Markdown', { tests: { ...NO_TESTS, runtime: '**podman**' } }],
    ['tests that are a list', { tests: [] }],
  ])('refuses %s', (_name, changed) => {
    expect(() => read(changed)).toThrow('its label is not valid');
  });

  test('takes a label from before there were tests', () => {
    expect(read({ tests: undefined })).toEqual(label);
  });
});
