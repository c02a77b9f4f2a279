import { expect, test } from 'vitest';
import { bootFailure } from '../../../src/boot-test/boot-failure.ts';

// Lines as kernels, systemd 252 to 257, NixOS's stage 1, Debian's initramfs-tools, dracut, edk2, SeaBIOS and GRUB write them.
test.each([
  [
    '[    2.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
    /^a kernel panic \(Attempted to kill init/,
  ],
  [
    '[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
    /Unable to mount root fs/,
  ],
  ['You are in emergency mode. After logging in, type "journalctl -xb"', /^the emergency shell of systemd/],
  ['You are in rescue mode. After logging in,', /^the emergency shell of systemd/],
  ['Cannot open access to console, the root account is locked.', /^the emergency shell of systemd/],
  [
    'An error occurred in stage 1 of the boot process, which must mount the\nroot filesystem',
    /^the emergency shell of the initrd/,
  ],
  ['Entering emergency mode. Exit the shell to continue.', /^the emergency shell of the initrd/],
  ['ALERT!  UUID=1 does not exist.  Dropping to a shell!', /^the emergency shell of the initrd \(ALERT!/],
  ['x\nUEFI Interactive Shell v2.2', /^the shell of the firmware, which found nothing to boot/],
  ['BdsDxe: No bootable option or device was found.', /^firmware that found nothing to boot/],
  ['No bootable device.', /^firmware that found nothing to boot/],
  ['grub rescue> ', /^a boot loader that found nothing/],
  [
    '!!!! X64 Exception Type - 0D(#GP - General Protection)  CPU Apic ID - 00000000 !!!!',
    /^a crash of what the firmware/,
  ],
  ['Synchronous Exception at 0x000000005F3A1B2C', /^a crash of what the firmware/],
])('%s is told', (line, what) => {
  expect(bootFailure(`[    0.1] before\n${line}\nafter\n`)).toMatch(what);
});

test.each([
  'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x1,0x0): Not Found',
  'BdsDxe: loading Boot0002 "EFI Internal Shell" from Fv(1)',
  '[  OK  ] Reached target Emergency Mode is not this.',
  '[    1.1] Command line: panic=-1 oops=panic',
])('%s is none', (line) => {
  expect(bootFailure(`${line}\nserver login: `)).toBeUndefined();
});

test('of a line without end the beginning is told', () => {
  expect(bootFailure(`Kernel panic - not syncing: ${'x'.repeat(5000)}`)?.length).toBeLessThan(250);
});
