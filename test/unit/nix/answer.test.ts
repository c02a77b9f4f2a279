import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseAnswer, parseDefinition } from '../../../src/nix/answer.ts';
import { nixString } from '../../../src/nix/probe.ts';
import { hasNoFiles, parseStoreSettings } from '../../../src/nix/settings.ts';

const PATH = '/nix/store/8vckzajvwz7y9cizvnlcr84nxp5a56nn-app';
const MINIMAL = { schemaVersion: 1, kind: 'oci', name: 'app', roots: [] };

describe('a definition as nix prints it', () => {
  test('gets its defaults, and its roots their paths', () => {
    const definition = parseDefinition('app', { ...MINIMAL, roots: [{ drvPath: null, output: null, path: PATH }] });
    expect(definition.roots).toEqual([{ drvPath: null, output: null, outPath: PATH }]);
    expect(definition).toMatchObject({ tag: null, system: null, maxLayers: 40, files: {} });
  });

  test.each([
    [{ name: 'App' }, /^nixImages\.app is not a valid image definition: name: expected a repository name/],
    [{ schemaVersion: 2 }, /schemaVersion: /],
    [{ maxLayers: 500 }, /maxLayers: /],
    [{ config: { Env: ['X=1', 'no'] } }, /config\.Env\[1\]: expected NAME=value/],
    [
      { files: { '/d/': { type: 'directory' } } },
      /files\["\/d\/"\]: expected an absolute path below \/ without trailing slash/,
    ],
    [{ config: { ExposedPorts: { '8000-8010/tcp': {} } } }, /config\.ExposedPorts\["8000-8010\/tcp"\]: .* no ranges/],
    [
      { config: { ExposedPorts: { '65536/tcp': {} } } },
      /config\.ExposedPorts\["65536\/tcp"\]: expected a port from 1 to 65535/,
    ],
    [{ config: { ExposedPorts: { '0': {} } } }, /expected a port from 1/],
    [{ config: { Volumes: { data: {} } } }, /config\.Volumes\.data: expected an absolute path such as/],
    [{ config: { WorkingDir: 'srv' } }, /config\.WorkingDir: expected an absolute path such as/],
    [
      { users: { 'My.User': { uid: 1, gid: 1, description: '', home: '/', shell: '/bin/sh' } } },
      /users\["My\.User"\]: expected a name for \/etc\/passwd: at most 32 lower-case/,
    ],
    [JSON.parse('{"annotations":{"__proto__":"x"}}'), /annotations\.__proto__: the name __proto__ cannot be used/],
    [{ files: { '/x/../y': { type: 'text', text: '' } } }, /files\["\/x\/\.\.\/y"\]: /],
    [{ roots: [{ drvPath: null, output: null, path: '/etc' }] }, /roots\[0\]\.outPath: expected a path such as/],
    [{ colour: 'red' }, /colour/],
  ])('%j is refused', (change, message) => {
    expect(() => parseDefinition('nixImages.app', { ...MINIMAL, ...change })).toThrow(message);
  });
});

describe('an answer', () => {
  test.each([
    ['{', 'the output of evaluating .#app is not JSON'],
    ['3', 'the output of evaluating .#app does not have the expected form'],
  ])('%j is refused', (text, message) => {
    expect(() => parseAnswer('.#app', text, z.string())).toThrow(message);
  });
});

describe('text in a Nix expression', () => {
  test.each([
    ['app', '"app"'],
    ['a"b', '"a\\"b"'],
    ['a\\b', '"a\\\\b"'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Nix would fill in.
    ['${x}', '"\\${x}"'],
  ])('%s', (text, literal) => {
    expect(nixString(text)).toBe(literal);
  });
});

describe('substituters', () => {
  const settings = (substituters: string[], more = {}) =>
    JSON.stringify({
      substituters: { value: substituters },
      'require-sigs': { value: true },
      store: { value: 'auto' },
      ...more,
    });

  test.each([
    [settings(['https://a', 'https://b?priority=1&trusted=1']), [false, true]],
    [settings(['https://a?trusted=true', 'daemon']), [true, false]],
    [settings(['https://a'], { 'require-sigs': { value: false } }), [true]],
    [settings(['https://a'], { substitute: { value: false } }), []],
    [settings([]), []],
  ])('%s', (output, trusted) => {
    expect(parseStoreSettings(output).substituters.map((substituter) => substituter.trusted)).toEqual(trusted);
  });

  test.each([
    ['auto', true],
    ['', true],
    ['daemon', true],
    ['local', true],
    ['local?trusted=1', true],
    ['unix://', true],
    ['unix:///nix/var/nix/daemon-socket/socket?max-connections=2', true],
    ['unix:///tmp/socket', true],
    ['unix:///tmp/socket?root=/x', false],
    ['local?root=/x', false],
    ['local://?max-connections=1&real=/x', false],
    ['/x', false],
    ['daemon?store=/gnu/store', false],
    ['file:///x', false],
    ['ssh-ng://host', false],
  ])('paths of the store %j are read in place: %s', (store, inPlace) => {
    const { elsewhere } = parseStoreSettings(settings([], { store: { value: store } }));
    expect(elsewhere).toBe(inPlace ? undefined : store);
  });

  test.each([
    ['ssh-ng://host', true],
    ['ssh://host?compress=true', true],
    ['https://cache', true],
    ['file:///x', true],
    ['local?root=/x', false],
    ['local://?root=/x', false],
    ['unix:///socket?root=/x', false],
    ['daemon', false],
    ['auto', false],
    ['/x', false],
  ])('the store %j has no files here: %s', (store, expected) => {
    expect(hasNoFiles(store)).toBe(expected);
  });

  test('settings that cannot be read are refused', () => {
    expect(() => parseStoreSettings('{}')).toThrow('the output of nix about its settings is not valid');
  });
});
