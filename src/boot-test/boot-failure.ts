/** What a console says when nothing more is to come, and what that is called. The first group is shown with it. */
const FAILURES: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a kernel panic', /Kernel panic - not syncing: (.*)/],
  ['the emergency shell of systemd', /(You are in (?:emergency|rescue) mode.*)/],
  ['the emergency shell of systemd', /(Cannot open access to console, the root account is locked.*)/],
  ['the emergency shell of the initrd', /^(An error occurred in stage 1 of the boot process.*)/m],
  ['the emergency shell of the initrd', /(Entering emergency mode\. Exit the shell to continue.*)/],
  ['the emergency shell of the initrd', /^(.*Dropping to a shell!.*)/m],
  ['the shell of the firmware, which found nothing to boot', /^(UEFI Interactive Shell.*)/m],
  ['firmware that found nothing to boot', /(No bootable (?:option or )?device.*)/],
  ['a boot loader that found nothing to boot', /^(grub rescue>.*)/m],
  ['a crash of what the firmware started', /^!!!! (.*Exception Type.*)/m],
  ['a crash of what the firmware started', /^(Synchronous Exception at .*)/m],
];

/** Why a machine will not get any further, by what its console says: a kernel panic, an emergency shell, nothing to boot. */
export function bootFailure(text: string): string | undefined {
  for (const [what, pattern] of FAILURES) {
    const said = pattern.exec(text)?.[1];
    if (said !== undefined) return `${what} (${said.trim().slice(0, 200)})`;
  }
  return undefined;
}
