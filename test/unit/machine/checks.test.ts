import { expect, test } from 'vitest';
import { checksText, type MachineFacts, machineChecks } from '../../../src/machine/checks.ts';

const FACTS: MachineFacts = {
  nix: 'nix (Nix) 2.34.1',
  missingLines: [],
  containers: { label: 'podman 5.4.2' },
  emulation: [{ system: 'aarch64-linux', isReady: true }],
  boots: [{ system: 'x86_64-linux', label: 'QEMU 9.2.1 with KVM' }],
  free: 40e9,
  wanted: 10e9,
  folder: '/nix/store',
};

test('a machine that has everything', () => {
  expect(checksText(machineChecks(FACTS))).toBe(`ready to build images

ok       nix         nix (Nix) 2.34.1
ok       containers  podman 5.4.2
ok       emulation   aarch64-linux programs run here
ok       boot        disks for x86_64-linux: QEMU 9.2.1 with KVM
ok       space       40.0 GB free for /nix/store`);
});

test.each<[string, Partial<MachineFacts>, string, RegExp]>([
  ['no Nix', { nix: undefined }, 'not ready to build images: nix', /^missing {2}nix .*not found\n.*nixos\.org/m],
  [
    'no emulation',
    { emulation: [{ system: 'aarch64-linux', isReady: false }] },
    'not ready to build images: emulation',
    /qemu-user-static/,
  ],
  [
    'no space',
    { free: 1e9 },
    'not ready to build images: space',
    /1\.0 GB free for .*10\.0 GB wanted\n.*nix-collect-garbage/,
  ],
  [
    'no containers',
    { containers: { why: 'no such program' } },
    'ready to build images',
    /^without {2}containers .*no such program\n.*Install podman/m,
  ],
  [
    'no QEMU',
    { boots: [{ system: 'x86_64-linux', why: 'qemu-system-x86_64 is not installed here', fix: 'Install it.' }] },
    'ready to build images',
    /^without {2}boot .*not installed here\n.*Tests of disks for x86_64-linux are not run\. Install it\./m,
  ],
  [
    'lines of nix.conf',
    { missingLines: ['max-jobs = auto'] },
    'ready to build images',
    /^without {2}nix\.conf .*\n.*max-jobs = auto/m,
  ],
])('%s: a verdict, and what to do', (_name, facts, verdict, line) => {
  const text = checksText(machineChecks({ ...FACTS, ...facts }));
  expect(text.split('\n')[0]).toBe(verdict);
  expect(text).toMatch(line);
});
