import { describe, expect, test } from 'vitest';
import { byPlatform, isForSystem, isImageEntry, normalisePlatform } from '../../../src/oci/platform.ts';
import { platformText, type System } from '../../../src/oci/system.ts';

const platform = (text: string) => {
  const [os = '', architecture = '', variant] = text.split('/');
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
};

describe('normalisePlatform', () => {
  // What containerd's platforms.Normalize makes of each.
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v2', 'linux/amd64/v2'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/x86-64/v1', 'linux/amd64'],
    ['LINUX/AMD64', 'linux/amd64'],
    ['linux/i386', 'linux/386'],
    ['linux/i386/sse2', 'linux/386'],
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/AArch64/V8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/arm/5', 'linux/arm/v5'],
    ['linux/arm/8', 'linux/arm/v8'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/riscv64', 'linux/riscv64'],
    ['linux/constructor', 'linux/constructor'],
  ])('%s is %s', (text, normal) => {
    expect(platformText(normalisePlatform(platform(text)))).toBe(normal);
  });
});

describe('isForSystem', () => {
  test.each<[System, string, boolean]>([
    ['x86_64-linux', 'linux/amd64', true],
    ['x86_64-linux', 'linux/amd64/v1', true],
    ['x86_64-linux', 'linux/x86_64', true],
    ['x86_64-linux', 'linux/amd64/v2', false],
    ['x86_64-linux', 'linux/amd64/v3', false],
    ['x86_64-linux', 'linux/386', false],
    ['x86_64-linux', 'windows/amd64', false],
    ['x86_64-linux', 'unknown/unknown', false],
    ['aarch64-linux', 'linux/arm64', true],
    ['aarch64-linux', 'linux/arm64/v8', true],
    ['aarch64-linux', 'linux/aarch64', true],
    ['aarch64-linux', 'linux/arm64/v9', false],
    ['aarch64-linux', 'linux/arm/v7', false],
  ])('%s, %s: %s', (system, text, expected) => {
    expect(isForSystem(platform(text), system)).toBe(expected);
    expect(isForSystem({ ...platform(text), 'os.version': '6.1' }, system)).toBe(expected);
  });
});

test('attestations are no images, whichever way they are marked', () => {
  expect(isImageEntry({ platform: platform('unknown/unknown') })).toBe(false);
  expect(isImageEntry({ annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } })).toBe(false);
  expect(isImageEntry({ platform: platform('linux/amd64') })).toBe(true);
  expect(isImageEntry({})).toBe(true);
});

test('entries are told apart by platform only where each has another one', () => {
  const entries = (...texts: string[]) => texts.map((text) => ({ platform: platform(text) }));
  expect(byPlatform(entries('linux/amd64', 'linux/arm64/v8'))).toHaveLength(2);
  expect(byPlatform(entries('linux/amd64', 'linux/amd64/v3'))).toHaveLength(2);
  expect(byPlatform(entries('linux/arm64', 'linux/arm64/v8'))).toBeUndefined();
  expect(byPlatform([...entries('linux/amd64'), {}])).toBeUndefined();
  expect(byPlatform(entries('linux/amd64'))).toBeUndefined();
});
