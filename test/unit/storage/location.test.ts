import { describe, expect, it } from 'vitest';
import { formatLocation, parseLocation } from '../../../src/storage/location.ts';

describe('parseLocation', () => {
  const app = { host: 'docker.io', repository: 'library/app', tag: '1' };
  it.each([
    [
      'docker://ghcr.io/org/app:1',
      { kind: 'registry', reference: { host: 'ghcr.io', repository: 'org/app', tag: '1' } },
    ],
    ['app:1', { kind: 'registry', reference: app }],
    ['docker:dind', { kind: 'registry', reference: { host: 'docker.io', repository: 'library/docker', tag: 'dind' } }],
    ['localhost:5000/app', { kind: 'registry', reference: { host: 'localhost:5000', repository: 'app' } }],
    ['oci:out', { kind: 'oci', path: 'out' }],
    ['oci:out:1.0', { kind: 'oci', path: 'out', tag: '1.0' }],
    ['oci:/a/b:app:1', { kind: 'oci', path: '/a/b', tag: 'app:1' }],
    ['oci-archive:out.tar:v1', { kind: 'oci-archive', path: 'out.tar', tag: 'v1' }],
    ['docker-archive:out.tar', { kind: 'docker-archive', path: 'out.tar' }],
    ['docker-archive:out.tar:app:1', { kind: 'docker-archive', path: 'out.tar', reference: app }],
  ])('reads %s', (text, expected) => {
    const destination = parseLocation(text);
    expect(destination).toEqual(expected);
    expect(parseLocation(formatLocation(destination))).toEqual(destination);
  });

  it.each([
    ['dir:out', 'Allowed are docker://'],
    ['docker-daemon:app:1', 'Allowed are docker://'],
    ['https://ghcr.io/org/app', 'Allowed are docker://'],
    ['foo:/bar', 'Allowed are docker://'],
    ['oci:', 'oci:FOLDER'],
    ['oci::1', 'oci:FOLDER'],
    ['oci:out:', 'first colon'],
    ['oci:out:-x', 'first colon'],
    ['oci-archive:', 'oci-archive:FILE'],
    ['docker-archive:x:UPPER', 'lower case'],
    [`docker-archive:x:app@sha256:${'a'.repeat(64)}`, 'name:tag'],
    ['', 'ghcr.io'],
  ])('refuses %j', (text, hint) => {
    expect(() => parseLocation(text)).toThrow(
      expect.objectContaining({ code: 'reference', hint: expect.stringContaining(hint) }),
    );
  });
});
