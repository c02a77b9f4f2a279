import { describe, expect, test } from 'vitest';
import { formatLocation } from '../../../src/storage/location.ts';
import { locationOf, parseLocationTemplate, parseRegistryTemplate } from '../../../src/storage/location-template.ts';

describe('a destination with {name}', () => {
  test.each([
    ['ghcr.io/org/{name}', 'team/app', 'docker://ghcr.io/org/team/app', true],
    ['ghcr.io/org/{name}:v1', 'app', 'docker://ghcr.io/org/app:v1', true],
    ['oci:out/{name}', 'app', 'oci:out/app', true],
    ['oci:out:{name}', 'team/app', 'oci:out:team/app', true],
    ['ghcr.io/org/all:{name}', 'app', 'docker://ghcr.io/org/all:app', true],
    ['ghcr.io/org/one', 'app', 'docker://ghcr.io/org/one', false],
    ['ghcr.io/MyOrg/{name}', 'app', 'docker://ghcr.io/myorg/app', true],
    ['docker://ghcr.io/MyOrg/App-{name}:V1', 'app', 'docker://ghcr.io/myorg/app-app:V1', true],
    ['ghcr.io:443/MyOrg/all:Image-{name}', 'app', 'docker://ghcr.io:443/myorg/all:Image-app', true],
    ['oci:Out/{name}:V1', 'app', 'oci:Out/app:V1', true],
  ])('%s for %s is %s', (text, name, expected, hasName) => {
    const template = parseLocationTemplate(text);
    expect(formatLocation(locationOf(template, name))).toBe(expected);
    expect(template.hasName).toBe(hasName);
  });

  test.each(['ghcr.io/org/{image}', 'ghcr.io/org/{name', '{name}}', 'ghcr.io/org/-{name}'])('refuses %s', (text) => {
    expect(() => parseLocationTemplate(text)).toThrow(expect.objectContaining({ code: 'reference' }));
  });

  test('a name that a tag cannot hold is refused when it is filled in', () => {
    const template = parseLocationTemplate('ghcr.io/org/all:{name}');
    expect(() => locationOf(template, 'team/app')).toThrow(expect.objectContaining({ code: 'reference' }));
  });

  test('a build sends layers to registries only', () => {
    expect(parseRegistryTemplate('ghcr.io/org/{name}').hasName).toBe(true);
    expect(() => parseRegistryTemplate('oci:out/{name}')).toThrow(/not a registry/);
  });
});

test('what was written is kept for messages', () => {
  expect(parseLocationTemplate('ghcr.io/MyOrg/{name}')).toEqual({
    text: 'ghcr.io/myorg/{name}',
    written: 'ghcr.io/MyOrg/{name}',
    hasName: true,
  });
});
