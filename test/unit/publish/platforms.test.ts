import { describe, expect, test } from 'vitest';
import type { System } from '../../../src/oci/system.ts';
import { checkPlatforms } from '../../../src/publish/platforms.ts';
import { ARM, X86 } from '../../support/systems.ts';

const parts = (...systems: System[]) => systems.map((system, at) => ({ system, origin: `part ${at + 1}` }));

describe('checkPlatforms', () => {
  test.each<[System[], System[], boolean]>([
    [[X86, ARM], [X86, ARM], false],
    [[ARM], [ARM], false],
    [[ARM], [X86, ARM], true],
  ])('takes %j where %j is expected (missing allowed: %s)', (systems, expected, allowMissing) => {
    expect(() => checkPlatforms(parts(...systems), expected, allowMissing)).not.toThrow();
  });

  test.each<[System[], System[], boolean, string]>([
    [[ARM], [X86, ARM], false, 'no image for x86_64-linux (linux/amd64)'],
    [[], [X86, ARM], true, 'no image for x86_64-linux (linux/amd64) and aarch64-linux (linux/arm64)'],
    [[], [], true, 'no image to publish'],
    [[X86, X86, ARM], [X86, ARM], true, 'x86_64-linux is there 2 times: part 1, part 2'],
  ])('refuses %j where %j is expected (missing allowed: %s)', (systems, expected, allowMissing, message) => {
    expect(() => checkPlatforms(parts(...systems), expected, allowMissing)).toThrow(message);
  });
});
