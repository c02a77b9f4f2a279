import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nixVersionsUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram } from '../../support/tools.ts';
import { REPOSITORY } from './fixture.ts';

// Over the options of NixOS that test/fixtures/nixos has, with a module system of its own: nixpkgs cannot be had here.
const FIXTURE = join(REPOSITORY, 'test/fixtures/nixos');

/** Evaluates an expression about systems: `of SYSTEM [ MODULES ]` is the config of one, with our modules by name. */
async function evaluate(expression: string, env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const whole = `
    let
      lib = import ${FIXTURE}/lib.nix;
      inherit (import ${REPOSITORY}/nix { }) nixosModules;
      inherit (nixosModules) disk ec2 trim;
      of = system: modules: (import ${FIXTURE} { inherit system modules; }).config;
      x86 = of "x86_64-linux";
      arm = of "aarch64-linux";
      failed = config: map (a: a.message) (builtins.filter (a: !a.assertion) config.assertions);
    in ${expression}`;
  const words = ['--eval', '--strict', '--json', '--expr', whole];
  const { exitCode, stdout, stderr } = await runProgram('nix-instantiate', words, {
    env: { NIX_CONFIG: TEST_NIX_CONFIG, ...env },
  });
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe.each(nixVersionsUnderTest().map((version) => [version.label, version] as const))('%s', (_label, version) => {
  test('every module evaluates on both systems, at every level and with every option, and nothing is asserted', async () => {
    const variants = [
      '[ disk ]',
      '[ disk { disk.writableStore = false; disk.grow = false; disk.registration = false; disk.withNixpkgs = true; } ]',
      '[ disk { disk.loader = "systemd-boot"; disk.labels = { store = "s"; root = "r"; }; } ]',
      '[ ec2 ]',
      '[ ec2 trim { disk.verity = true; trim.level = 3; ec2.ssm.enable = true; } ]',
      '[ ec2 { ec2.instanceConnect = { enable = true; package = derivation { name = "eic"; system = "x86_64-linux"; builder = "/x"; }; }; } ]',
      '[ ec2 { ec2.metadata.enable = false; users.users.admin.openssh.authorizedKeys.keys = [ "ssh-ed25519 A" ]; ec2.tpm.enable = false; } ]',
      ...[0, 1, 2, 3].map((level) => `[ disk trim { trim.level = ${level}; } ]`),
      // As nixosSystem of a flake sets it.
      '[ ec2 { nixpkgs.flake.source = "/nix/store/x-source"; } ]',
    ];
    // All of each configuration, so that everything that is set has been looked at.
    const whole = (system: string) =>
      variants.map((modules) => `(let c = ${system} ${modules}; in builtins.deepSeq c (failed c))`);
    const found = await evaluate(`[ ${[...whole('x86'), ...whole('arm')].join(' ')} ]`, version.env);
    expect(found).toEqual(Array.from({ length: 2 * variants.length }, () => []));
  });
});

test('the store is the EROFS by its label under an overlay on the root, and the root takes what is free', async () => {
  const found = await evaluate(`let c = x86 [ disk ]; in {
    inherit (c) fileSystems;
    inherit (c.systemd.repart) partitions;
    inherit (c.boot) initrd;
    grub = c.boot.loader.grub.enable;
  }`);
  expect(found).toMatchObject({
    grub: false,
    partitions: { '10-root': { Type: 'root' } },
    initrd: { systemd: { enable: true, repart: { enable: true } } },
    fileSystems: {
      '/': { device: '/dev/disk/by-partlabel/nixos', fsType: 'ext4', autoResize: true },
      '/nix/.ro-store': {
        device: '/dev/disk/by-partlabel/nix-store',
        fsType: 'erofs',
        neededForBoot: true,
        noCheck: true,
      },
      '/nix/store': {
        fsType: 'overlay',
        neededForBoot: true,
        overlay: { lowerdir: ['/nix/.ro-store'], upperdir: '/nix/.rw-store/upper', workdir: '/nix/.rw-store/work' },
      },
    },
  });
  expect(Object.keys((found as { fileSystems: object }).fileSystems)).not.toContain('/boot');
});

test('what an image cannot hold is left to the disk: a store alone, dm-verity, systemd-boot where it looks', async () => {
  const found = await evaluate(`{
    alone = (x86 [ disk { disk.writableStore = false; } ]).fileSystems;
    guarded = let c = x86 [ disk { disk.verity = true; } ]; in {
      inherit (c.fileSystems."/nix/.ro-store") device;
      inherit (c.boot.initrd.systemd) dmVerity;
      inherit (c.boot.initrd) nix-store-veritysetup;
    };
    rebuilt = let c = x86 [ disk { disk.loader = "systemd-boot"; } ]; in {
      inherit (c.fileSystems."/boot") device fsType options;
      inherit (c.boot.loader.systemd-boot) enable configurationLimit;
    };
  }`);
  expect(found).toMatchObject({
    alone: { '/nix/store': { device: '/dev/disk/by-partlabel/nix-store', fsType: 'erofs' } },
    guarded: { device: '/dev/mapper/nix-store', dmVerity: { enable: true }, 'nix-store-veritysetup': { enable: true } },
    rebuilt: { device: '/dev/disk/by-partlabel/ESP', fsType: 'vfat', enable: true, configurationLimit: 4 },
  });
});

test("Nix knows the disk's paths after the first boot, before its daemon is asked, and only once", async () => {
  const found = (await evaluate(`(x86 [ disk ]).systemd.services.nix-registration`)) as Record<string, unknown>;
  expect(found.before).toEqual(expect.arrayContaining(['nix-daemon.service', 'nix-daemon.socket']));
  expect(found.unitConfig).toMatchObject({
    ConditionPathExists: ['/nix/store/nix-path-registration', '!/nix/var/nix/.registered'],
    DefaultDependencies: false,
  });
  expect(found.script).toMatch(
    /nix-store --load-db < \/nix\/store\/nix-path-registration\n[^\n]*nix-env -p \/nix\/var/,
  );
  expect(await evaluate(`(x86 [ disk { nix.enable = false; } ]).systemd.services ? nix-registration`)).toBe(false);
});

test('EC2: consoles, disks, network, clock and sshd of both architectures', async () => {
  const facts = (system: string) => `(let c = ${system} [ ec2 ]; in {
    inherit (c.boot) kernelParams;
    modules = c.boot.initrd.availableKernelModules;
    inherit (c.networking) hostName timeServers;
    ssh = c.services.openssh;
    tpm = c.security.tpm2.enable && c.boot.initrd.systemd.tpm2.enable;
    metadata = c.systemd.services.ec2-metadata;
    ssm = c.services.amazon-ssm-agent.enable;
  })`;
  const [x86, arm] = (await evaluate(`[ ${facts('x86')} ${facts('arm')} ]`)) as Record<string, unknown>[];
  const consoles = (facts?: Record<string, unknown>) =>
    (facts?.kernelParams as string[]).filter((word) => word.startsWith('console='));
  expect(consoles(x86)).toEqual(['console=ttyS0,115200n8']);
  // Graviton's console is ttyS0, QEMU's ttyAMA0; of those that there are, the last one is /dev/console.
  expect(consoles(arm)).toEqual(['console=ttyAMA0,115200n8', 'console=ttyS0,115200n8']);
  for (const found of [x86, arm]) {
    expect(found).toMatchObject({
      modules: expect.arrayContaining(['nvme', 'ena', 'erofs']),
      hostName: '',
      timeServers: ['169.254.169.123', 'fd00:ec2::123'],
      tpm: true,
      ssm: false,
      ssh: {
        enable: true,
        settings: {
          PermitRootLogin: 'prohibit-password',
          PasswordAuthentication: false,
          KbdInteractiveAuthentication: false,
        },
        authorizedKeysFiles: ['/run/ec2/authorized_keys/%u'],
      },
      metadata: { before: expect.arrayContaining(['sshd.service']), after: ['network-online.target'] },
    });
  }
  const script = (x86?.metadata as { script: string }).script;
  expect(script).toContain('set -- /run/ec2/authorized_keys root /proc/sys/kernel/hostname\n');
  // A name of its own is not replaced.
  expect(
    await evaluate(`(x86 [ ec2 { networking.hostName = "mine"; } ]).systemd.services.ec2-metadata.script`),
  ).toContain('set -- /run/ec2/authorized_keys root \n');
});

test('each level of trim drops what the level below drops, and more', async () => {
  const facts = [0, 1, 2, 3].map(
    (level) => `(let c = x86 [ disk trim { trim.level = ${level}; } ]; in {
      manuals = c.documentation.enable; fonts = c.fonts.fontconfig.enable;
      perl = !c.system.etc.overlay.enable; lvm = c.services.lvm.enable;
      nix = c.nix.enable; sudo = c.security.sudo.enable; switch = c.system.switch.enable;
    })`,
  );
  const all = (await evaluate(`[ ${facts.join(' ')} ]`)) as Record<string, boolean>[];
  const left = all.map((found) => Object.keys(found).filter((name) => found[name]));
  expect(left).toEqual([
    ['fonts', 'lvm', 'manuals', 'nix', 'perl', 'sudo', 'switch'],
    ['lvm', 'nix', 'perl', 'sudo', 'switch'],
    ['nix', 'sudo', 'switch'],
    [],
  ]);
  // Each is a default only.
  expect(
    await evaluate(`(x86 [ disk trim { trim.level = 3; security.sudo.enable = true; } ]).security.sudo.enable`),
  ).toBe(true);
});

/** What people got wrong before, and the assertion that says so. */
const ASSERTED: readonly (readonly [string, string])[] = [
  [
    '[ disk { fileSystems."/".fsType = "xfs"; } ]',
    'fileSystems."/".fsType is "xfs", but the root of the disk is made as ext4. Leave it out.',
  ],
  ['[ disk { fileSystems."/".device = "/dev/sda1"; } ]', 'fileSystems."/".device is "/dev/sda1", but'],
  [
    '[ disk { disk.loader = "systemd-boot"; boot.loader.efi.efiSysMountPoint = "/boot/efi"; } ]',
    'boot.loader.efi.efiSysMountPoint is "/boot/efi", but the EFI system partition is mounted at /boot',
  ],
  [
    '[ disk { boot.loader.systemd-boot.enable = true; } ]',
    'boot.loader.systemd-boot.enable is true, but disk.loader is "uki"',
  ],
  ['[ disk { boot.loader.grub.enable = true; } ]', 'boot.loader.grub.enable is true'],
  ['[ disk { boot.initrd.systemd.enable = false; } ]', 'boot.initrd.systemd.enable is false'],
  [
    '[ disk { nixpkgs.flake.setFlakeRegistry = true; } ]',
    'nixpkgs.flake.setFlakeRegistry or setNixPath is true, so that the sources of nixpkgs are on the disk',
  ],
  ['[ disk { system.copySystemConfiguration = true; } ]', 'system.copySystemConfiguration is true'],
  [
    '[ disk { disk.verity = true; disk.loader = "systemd-boot"; } ]',
    'disk.verity is true, but disk.loader is "systemd-boot"',
  ],
  ['[ disk { disk.labels.root = "nix-store"; } ]', 'disk.labels: store "nix-store" and root "nix-store" must differ'],
  ['[ disk { disk.labels.root = "a label"; } ]', 'disk.labels: '],
  ['[ ec2 { ec2.metadata.enable = false; } ]', 'ec2.metadata.enable is false, no user has openssh.authorizedKeys'],
  [
    '[ ec2 { services.openssh.settings = { PermitRootLogin = "yes"; PasswordAuthentication = true; }; } ]',
    'services.openssh.settings: PermitRootLogin is "yes" and PasswordAuthentication true',
  ],
  ['[ ec2 { ec2.metadata.user = "a b"; } ]', 'ec2.metadata.user is "a b"'],
  [
    '[ ec2 { ec2.instanceConnect.enable = true; } ]',
    'ec2.instanceConnect.enable is true, but nixpkgs has no package of it',
  ],
  [
    '[ ec2 { ec2.instanceConnect.enable = true; services.openssh.enable = false; } ]',
    'ec2.instanceConnect.enable is true, but services.openssh.enable is false',
  ],
  [
    '[ disk trim { trim.level = 3; disk.loader = "systemd-boot"; } ]',
    'trim.level is 3, but boot.loader.systemd-boot.enable is true',
  ],
];

test('what people got wrong before is an assertion, and ends the evaluation of the system', async () => {
  const found = (await evaluate(
    `[ ${ASSERTED.map(([modules]) => `(failed (x86 ${modules}))`).join(' ')} ]`,
  )) as string[][];
  for (const [at, [modules, message]] of ASSERTED.entries())
    expect(
      found[at]?.some((line) => line.startsWith(message)),
      `${modules}: ${found[at]?.join('\n')}`,
    ).toBe(true);
  await expect(evaluate(`(x86 ${ASSERTED[0]?.[0]}).system.build.toplevel`)).rejects.toThrow(
    /Failed assertions:\s+- fileSystems\."\/"\.fsType is "xfs"/,
  );
});

test('the fixture finds options that NixOS does not have, of other types, and set twice', async () => {
  const wrong = [
    ['{ boot.loader.grup.enable = true; }', 'option boot.loader.grup: does not exist'],
    ['{ fileSystems."/".fstype = "ext4"; }', 'option fileSystems./.fstype: does not exist'],
    ['{ boot.kernelParams = "quiet"; }', 'option boot.kernelParams: expected list of string, got string'],
    [
      '{ services.openssh.settings.PermitRootLogin = "maybe"; }',
      'option services.openssh.settings.PermitRootLogin: expected',
    ],
    ['{ networking.hostName = "a"; } { networking.hostName = "b"; }', 'option networking.hostName: has two values'],
    ['{ config = { }; boot.kernelParams = [ ]; }', 'a module has boot beside config or options'],
    ['{ options.trim.level = lib.mkOption { }; }', 'option trim.level: is declared twice'],
  ];
  for (const [modules, message] of wrong)
    await expect(evaluate(`builtins.deepSeq (x86 [ trim ${modules} ]) null`)).rejects.toThrow(message);
});
