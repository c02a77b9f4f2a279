import { expect, test } from 'vitest';
import { runLines } from '../../../scripts/demo-lines.ts';

const demo = { destination: 'oci:demo-out/python:latest', command: ['python3', '-c', 'print(1)'], conf: undefined };

test('the demo says what to paste, for each platform, by a path that podman can make a name of', () => {
  expect(runLines({ ...demo, folder: undefined })).toEqual([
    '\nThe image is at oci:demo-out/python:latest. Run it for each platform:',
    "  podman run --rm --platform linux/amd64 oci:demo-out/python:latest python3 -c 'print(1)'",
    "  podman run --rm --platform linux/arm64 oci:demo-out/python:latest python3 -c 'print(1)'",
  ]);
});

test('whoever is elsewhere is told to go to the checkout, and settings stand before podman', () => {
  const lines = runLines({ ...demo, folder: '/home/Ada Lovelace/nix-images', conf: 'demo-out/containers.conf' });
  expect(lines[1]).toBe("  cd '/home/Ada Lovelace/nix-images'");
  expect(lines[2]).toMatch(/^ {2}CONTAINERS_CONF=demo-out\/containers.conf podman run /);
});
