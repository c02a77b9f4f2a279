import type { System } from './system.ts';

/** What UEFI calls the machines of a system, in the names of loaders and stubs (UEFI 2.10, section 3.5.1.1), in lower case. */
export const efiArchitecture = (system: System): 'x64' | 'aa64' => (system === 'x86_64-linux' ? 'x64' : 'aa64');

/** What firmware starts from a disk of which it knows nothing: the path on the EFI system partition (UEFI 2.10, section 3.5.1.1). */
export const bootFileOf = (system: System): string => `/EFI/BOOT/BOOT${efiArchitecture(system).toUpperCase()}.EFI`;
