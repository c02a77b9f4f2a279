import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFirmware, readDescriptor } from '../../../src/boot-test/firmware.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('firmware');
});
afterAll(() => temp.remove());

interface Descriptor {
  readonly code?: string;
  readonly format?: string;
  readonly features?: readonly string[];
  readonly architecture?: string;
  readonly machines?: readonly string[];
  readonly mapping?: object;
}

const descriptor = ({
  code = '/fw/CODE.fd',
  format = 'raw',
  features = ['verbose-static'],
  architecture = 'x86_64',
  machines = ['pc-i440fx-*', 'pc-q35-*'],
  mapping = {},
}: Descriptor): string =>
  JSON.stringify({
    description: 'UEFI firmware',
    'interface-types': ['uefi'],
    mapping: {
      device: 'flash',
      executable: { filename: code, format },
      'nvram-template': { filename: code.replace('CODE', 'VARS'), format },
      ...mapping,
    },
    targets: [{ architecture, machines }],
    features,
    tags: [],
  });

const firmware = (code: string, variables: string, format = 'raw') => ({
  code: { path: code, format },
  variables: { path: variables, format },
});

describe('a descriptor', () => {
  test.each<[string, string]>([
    ['as Debian has it', descriptor({})],
    ['that says that it is split', descriptor({ mapping: { mode: 'split' } })],
    [
      'with features that are not asked for',
      descriptor({ features: ['acpi-s3', 'amd-sev', 'intel-tdx', 'verbose-dynamic'] }),
    ],
  ])('%s is taken', (_name, text) => {
    expect(readDescriptor('x86_64-linux', text)).toEqual(firmware('/fw/CODE.fd', '/fw/VARS.fd'));
  });

  test('with a file in qcow2, as Fedora has it, is taken', () => {
    const text = descriptor({ format: 'qcow2' });
    expect(readDescriptor('x86_64-linux', text)).toEqual(firmware('/fw/CODE.fd', '/fw/VARS.fd', 'qcow2'));
  });

  test.each<[string, string]>([
    ['with Secure Boot', descriptor({ features: ['secure-boot'] })],
    ['with keys', descriptor({ features: ['enrolled-keys'] })],
    ['that needs SMM', descriptor({ features: ['requires-smm'] })],
    ['for another architecture', descriptor({ architecture: 'aarch64', machines: ['virt-*'] })],
    ['for another machine', descriptor({ machines: ['microvm'] })],
    ['without variables', descriptor({ mapping: { mode: 'stateless', 'nvram-template': undefined } })],
    ['with both in one', descriptor({ mapping: { mode: 'combined' } })],
    ['that is loaded into memory', descriptor({ mapping: { device: 'memory', filename: '/fw/OVMF.fd' } })],
    ['with a relative path', descriptor({ code: 'CODE.fd' })],
    ['of a BIOS', descriptor({}).replace('"uefi"', '"bios"')],
    ['that is empty, which hides others', ''],
    ['that is no JSON', '{'],
    ['that is a list', '[]'],
  ])('%s is not taken', (_name, text) => {
    expect(readDescriptor('x86_64-linux', text)).toBeUndefined();
  });
});

async function place(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

async function machine(files: (root: string) => Readonly<Record<string, string>>) {
  const root = join(temp.path, `${Math.random()}`);
  await place(root, files(root));
  const at = (...names: string[]): string => join(root, ...names);
  return { at, places: { descriptors: [at('etc'), at('usr')], data: [at('data')], root } };
}

const pair = (name: string): Record<string, string> => ({ [name]: '', [name.replace('CODE', 'VARS')]: '' });

describe('found is', () => {
  test('the first by name whose files are there', async () => {
    const { at, places } = await machine((root) => ({
      'usr/40-missing.json': descriptor({ code: join(root, 'gone/CODE.fd') }),
      'usr/50-secure.json': descriptor({ code: join(root, 'secure/CODE.fd'), features: ['secure-boot'] }),
      'usr/70-second.json': descriptor({ code: join(root, 'second/CODE.fd') }),
      'usr/60-first.json': descriptor({ code: join(root, 'first/CODE.fd') }),
      'usr/60-readme.txt': descriptor({ code: join(root, 'second/CODE.fd') }),
      ...pair('secure/CODE.fd'),
      ...pair('first/CODE.fd'),
      ...pair('second/CODE.fd'),
    }));
    expect(await findFirmware('x86_64-linux', places)).toEqual(firmware(at('first/CODE.fd'), at('first/VARS.fd')));
  });

  test('what an earlier folder has in place of a later one, an empty file too', async () => {
    const { at, places } = await machine((root) => ({
      'usr/60-a.json': descriptor({ code: join(root, 'a/CODE.fd') }),
      'usr/70-b.json': descriptor({ code: join(root, 'b/CODE.fd') }),
      'etc/60-a.json': '',
      'etc/70-b.json': descriptor({ code: join(root, 'own/CODE.fd') }),
      ...pair('a/CODE.fd'),
      ...pair('b/CODE.fd'),
      ...pair('own/CODE.fd'),
    }));
    expect(await findFirmware('x86_64-linux', places)).toEqual(firmware(at('own/CODE.fd'), at('own/VARS.fd')));
  });

  test.each<['x86_64-linux' | 'aarch64-linux', string, string]>([
    ['x86_64-linux', 'usr/share/OVMF/OVMF_CODE_4M.fd', 'usr/share/OVMF/OVMF_VARS_4M.fd'],
    ['x86_64-linux', 'usr/share/edk2/ovmf/OVMF_CODE.fd', 'usr/share/edk2/ovmf/OVMF_VARS.fd'],
    ['aarch64-linux', 'usr/share/AAVMF/AAVMF_CODE.fd', 'usr/share/AAVMF/AAVMF_VARS.fd'],
    ['aarch64-linux', 'usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', 'usr/share/edk2/aarch64/vars-template-pflash.raw'],
    ['x86_64-linux', 'data/edk2-x86_64-code.fd', 'data/edk2-i386-vars.fd'],
    ['aarch64-linux', 'data/edk2-aarch64-code.fd', 'data/edk2-arm-vars.fd'],
  ])('for %s without descriptors %s', async (system, code, variables) => {
    const { at, places } = await machine(() => ({ [code]: '', [variables]: '' }));
    expect(await findFirmware(system, places)).toEqual(firmware(at(code), at(variables)));
  });

  test('nothing where the variables are missing, or all is for the other system', async () => {
    const { places } = await machine(() => ({
      'usr/share/OVMF/OVMF_CODE_4M.fd': '',
      ...pair('usr/share/AAVMF/AAVMF_CODE.fd'),
    }));
    expect(await findFirmware('x86_64-linux', places)).toBeUndefined();
  });
});
