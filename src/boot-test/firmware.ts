import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { System } from '../oci/system.ts';

const FORMATS = ['raw', 'qcow2'] as const;

/** A file that QEMU puts into a flash chip. */
export interface FlashFile {
  readonly path: string;
  readonly format: (typeof FORMATS)[number];
}

/** UEFI firmware: its code, and what its variables are before the first boot. */
export interface Firmware {
  readonly code: FlashFile;
  readonly variables: FlashFile;
}

const fileSchema = z
  .object({ filename: z.string().startsWith('/'), format: z.enum(FORMATS) })
  .transform(({ filename, format }): FlashFile => ({ path: filename, format }));

/** What is read of a descriptor (QEMU's docs/interop/firmware.json); those of other kinds do not fit. */
const descriptorSchema = z.object({
  'interface-types': z.array(z.string()).refine((types) => types.includes('uefi')),
  mapping: z.object({
    device: z.literal('flash'),
    mode: z.literal('split').default('split'),
    executable: fileSchema,
    'nvram-template': fileSchema,
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
});

/** Firmware with keys starts nothing that is not signed by them; the other needs a machine with SMM. */
const UNWANTED = ['requires-smm', 'secure-boot', 'enrolled-keys'];

const TARGET: Readonly<Record<System, { readonly architecture: string; readonly machine: RegExp }>> = {
  'x86_64-linux': { architecture: 'x86_64', machine: /^pc-q35-/ },
  'aarch64-linux': { architecture: 'aarch64', machine: /^virt-/ },
};

/** Where distributions without descriptors have it: code and variables. */
const KNOWN: Readonly<Record<System, readonly (readonly [code: string, variables: string])[]>> = {
  'x86_64-linux': [
    ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
    ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
    ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
    ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
    ['/run/libvirt/nix-ovmf/OVMF_CODE.fd', '/run/libvirt/nix-ovmf/OVMF_VARS.fd'],
  ],
  'aarch64-linux': [
    ['/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'],
    ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'],
    ['/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', '/usr/share/edk2/aarch64/vars-template-pflash.raw'],
    ['/usr/share/edk2/aarch64/QEMU_CODE.fd', '/usr/share/edk2/aarch64/QEMU_VARS.fd'],
    ['/run/libvirt/nix-ovmf/AAVMF_CODE.fd', '/run/libvirt/nix-ovmf/AAVMF_VARS.fd'],
  ],
};

/** QEMU's own, in a folder of its data files: with nixpkgs' QEMU, and where it was built from source. */
const BUNDLED: Readonly<Record<System, readonly [code: string, variables: string]>> = {
  'x86_64-linux': ['edk2-x86_64-code.fd', 'edk2-i386-vars.fd'],
  'aarch64-linux': ['edk2-aarch64-code.fd', 'edk2-arm-vars.fd'],
};

/** Where firmware is looked for. */
export interface FirmwarePlaces {
  /** Folders of descriptors; a file in an earlier one stands for those of its name in the later ones. */
  readonly descriptors: readonly string[];
  /** Folders with QEMU's data files. */
  readonly data: readonly string[];
  /** Prefix of the paths that distributions are known to use: empty but in tests. */
  readonly root: string;
}

/** UEFI firmware for a system without Secure Boot, by QEMU's descriptors and then by what is known; undefined where there is none. */
export async function findFirmware(
  system: System,
  { descriptors, data, root }: FirmwarePlaces,
): Promise<Firmware | undefined> {
  const raw = (path: string): FlashFile => ({ path, format: 'raw' });
  const known = KNOWN[system].map((pair) => pair.map((path) => join(root, path)));
  const bundled = data.map((folder) => BUNDLED[system].map((name) => join(folder, name)));
  const candidates: Firmware[] = [
    ...(await described(system, descriptors)),
    ...[...known, ...bundled].map(([code = '', variables = '']) => ({ code: raw(code), variables: raw(variables) })),
  ];
  for (const firmware of candidates) {
    if ((await isThere(firmware.code.path)) && (await isThere(firmware.variables.path))) return firmware;
  }
  return undefined;
}

async function described(system: System, folders: readonly string[]): Promise<Firmware[]> {
  const files = new Map<string, string>();
  for (const folder of folders.toReversed()) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.endsWith('.json')) files.set(name, join(folder, name));
    }
  }
  const found: Firmware[] = [];
  for (const [, path] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const firmware = readDescriptor(system, await readFile(path, 'utf8').catch(() => ''));
    if (firmware) found.push(firmware);
  }
  return found;
}

/** @internal What a descriptor names, where it fits a machine of ours; an empty file hides others of its name. */
export function readDescriptor(system: System, text: string): Firmware | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = descriptorSchema.safeParse(json);
  if (!data || data.features.some((feature) => UNWANTED.includes(feature))) return undefined;
  const { architecture, machine } = TARGET[system];
  const fits = data.targets.some(
    (one) => one.architecture === architecture && one.machines.some((m) => machine.test(m)),
  );
  return fits ? { code: data.mapping.executable, variables: data.mapping['nvram-template'] } : undefined;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
