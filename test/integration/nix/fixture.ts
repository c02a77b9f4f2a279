import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import type { Evaluated } from '../../../src/nix/found-image.ts';
import type { Installable } from '../../../src/nix/installable.ts';
import type { Nix } from '../../../src/nix/nix.ts';
import { possibleSystems } from '../../../src/nix/search-places.ts';
import type { System } from '../../../src/oci/system.ts';

/** The repository, whose `nix/` the fixtures import. */
export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** Debian's busybox-static and Ubuntu's have it at the one or the other place. */
const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'];

const copyBusybox = async (target: string): Promise<void> => {
  await mkdir(dirname(target), { recursive: true });
  const [first = '', second = ''] = BUSYBOX;
  await copyFile(first, target).catch(() => copyFile(second, target));
};

/** Packages of a system: two outputs each, references of their own, and two that share one name. */
const PACKAGES = `
{ salt ? "" }:
let
  # A store path <hash>-busybox would look for an applet of that name: the program must lie in a folder.
  bb = builtins.path { path = ./busybox; name = "busybox-static"; };
  make = system: name: script: more: derivation ({
    inherit name system salt;
    builder = "\${bb}/busybox";
    args = [ "sh" "-euc" script ];
  } // more);
  two = system: name: deps: make system name ''
    \${bb}/busybox mkdir $out $dev
    echo "$deps \${system}" > $out/deps
    echo $out > $dev/main
  '' { inherit deps; outputs = [ "out" "dev" ]; };
  packagesOf = system: rec {
    libc = two system "libc-2.0" [ ];
    python3 = two system "python3-3.11" [ libc ];
    sourceA = two system "source" [ libc ];
    sourceB = two system "source" [ python3 ];
    broken = make system "broken" "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do echo line $i; done; exit 3" { };
    aboveBroken = make system "above-broken" "echo \${broken} > $out" { };
    wrongHash = make system "wrong-hash" "echo 1 > $out" {
      outputHashMode = "flat"; outputHashAlgo = "sha256";
      outputHash = "0000000000000000000000000000000000000000000000000000";
    };
    full = make system "full" "echo 'write: No space left on device' >&2; exit 1" { };
    floating = make system "floating" "echo hi > $out" {
      __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";
    };
  };
in { inherit packagesOf; busybox = bb; }
`;

/** Good images and every kind of bad one, for both systems. */
const IMAGES = `
{ packagesOf, mkImage }:
system: let p = packagesOf system; in {
  app = mkImage {
    name = "team/app";
    tag = "1.0";
    copyToRoot = [ p.python3 ./rootfs ];
    config = {
      Entrypoint = [ "\${p.python3}/bin/python3" ];
      Env = { HOME = "/tmp"; LIBC = p.libc.dev; PATHS = "\${p.sourceA}:\${p.sourceB}"; SHORT = builtins.substring 11 8 "\${p.libc}"; };
      ExposedPorts."8080/tcp" = { };
    };
    files."/tmp" = { directory = true; mode = "1777"; };
    files."/etc/motd".text = "from \${p.libc.dev}.";
    files."/bin/sh".target = "/bin/busybox";
    files."/bin/tool" = { source = "\${p.python3}/deps"; mode = "4755"; capabilities = "cap_net_raw+ep"; };
    users.app.uid = 1000;
    groups.app = { gid = 1000; members = [ "app" ]; };
    annotations.note = "x";
  };
  default = mkImage { name = "default"; copyToRoot = p.libc; };
  bad-name = mkImage { name = "Team/App"; };
  bad-argument = mkImage { name = "x"; copyToRot = [ ]; };
  pasted = mkImage {
    name = "ghcr.io/org/app"; contents = [ ]; extraCommands = ""; fakeRootCommands = ""; runAsRoot = ""; uid = 1; gid = 1;
    enableFakechroot = true; fromImageName = "a"; fromImageTag = "b"; architecture = "arm64"; keepContentsDirlinks = true;
    diskSize = 1; buildVMMemorySize = 1; includeStorePaths = true; passthru = { }; meta = { }; compressor = "gz"; copyToRot = [ ];
  };
  stream-base = mkImage { name = "x"; fromImage = p.libc // { isExe = true; }; };
  listed-base = mkImage { name = "x"; fromImage = p.libc // { copyToRegistry = null; }; };
  bad-field = mkImage { name = "x"; config.EntryPoint = [ ]; };
  bad-base = mkImage { name = "x"; fromImage = "debian:12"; };
  bad-port = mkImage { name = "x"; config.ExposedPorts."8000-8010/tcp" = { }; };
  bad-user = mkImage { name = "x"; users."My.User".uid = 1000; };
  bad-file = mkImage { name = "x"; files."/x" = { text = ""; source = p.libc; }; };
  bad-function = mkImage { name = "x"; config.Cmd = [ (x: x) ]; };
  bad-test = mkImage { name = "x"; tests.runs.command = "true"; };
  tested = mkImage { name = "x"; copyToRoot = [ p.libc ]; tests = { runs = { command = [ p.python3 ]; stdout = "hi"; }; serves.port = 80; }; };
  bad-system = mkImage { name = "x"; copyToRoot = [ (packagesOf "riscv64-linux").libc ]; };
  floating = mkImage { name = "x"; config.Cmd = [ "\${p.floating}" ]; };
  throws = throw "the licence is not accepted";
  half = if system == "aarch64-linux" then abort "no arm" else mkImage { name = "half"; };
  aborts = abort "no way";
  foreign = mkImage { name = "x"; copyToRoot = (packagesOf "aarch64-linux").libc; };
  text = "a text";
  function = x: x;
  # A megabyte of text without a gap directly behind a store path.
  long = mkImage { name = "x"; files."/x".text = "\${p.libc}-" + builtins.foldl' (text: _: text + text) "a" (builtins.genList (i: i) 20); };
  based = mkImage { name = "x"; fromImage = "\${p.libc}/deps"; };
  pinned = mkImage { name = "x"; fromImage = "docker.io/library/debian@sha256:\${builtins.hashString "sha256" "x"}"; };
  drv = mkImage { name = "x"; config.Cmd = [ p.libc.drvPath ]; };
  plain = mkImage { name = "x"; copyToRoot = builtins.unsafeDiscardStringContext "\${p.libc}"; };
  sources = mkImage { name = "x"; files."/a" = ./flake.nix; files."/b" = p.libc; files."/c".source = "\${./rootfs}/etc"; };
  "dotted.name" = mkImage { name = "dotted"; };
}
`;

const FLAKE = `
{
  outputs = { self }: let
    inherit (import ./nix { }) lib;
    inherit (import ./packages.nix { salt = import ./salt.nix; }) packagesOf;
    imagesOf = import ./images.nix { inherit packagesOf; inherit (lib) mkImage; };
    systems = f: { x86_64-linux = f "x86_64-linux"; aarch64-linux = f "aarch64-linux"; };
  in {
    nixImages = builtins.mapAttrs (system: images: if system == "x86_64-linux" then images // {
      one-system = images.app;
      # The flake itself, whose source nothing else needs in the store.
      whole = lib.mkImage { name = "x"; copyToRoot = [ self ]; files."/hello".source = "\${self}/rootfs/etc/hello"; };
      whole-and-built = lib.mkImage { name = "x"; config.Env.BOTH = "\${(packagesOf system).libc}:\${self}"; };
    } else images)
      (systems imagesOf);
    packages = systems (system: let p = packagesOf system; in {
      inherit (p) python3;
      with-image = p.python3 // { nixImage = (imagesOf system).app; };
      definition = (imagesOf system).app;
      wrapped = p.python3 // { passthru.image = (imagesOf system).app; };
      also-container = p.python3;
    });
    legacyPackages = systems (system: {
      dockerImages = { app = (packagesOf system).libc; deep = (imagesOf system).app; };
      only-there = (imagesOf system).app;
    });
    containers = systems (system: { boxed = (imagesOf system).default; also-container = (imagesOf system).app; program = (packagesOf system).python3; });
    images = systems (system: { picture = (imagesOf system).default; });
    hydraJobs.jobs.app = systems (system: (imagesOf system).app);
  };
}
`;

const FILE = `
{ system ? "none" }:
let
  inherit (import ./packages.nix { salt = import ./salt.nix; }) packagesOf;
  inherit ((import ./nix { }).lib) mkImage;
  imagesOf = import ./images.nix { inherit packagesOf mkImage; };
in {
  inherit (imagesOf system) app;
  nested.set = { x86_64-linux = (imagesOf "x86_64-linux").default; };
  fixed = (imagesOf "aarch64-linux").app;
  python3 = (packagesOf system).python3;
  packages = packagesOf system;
}
`;

/** A folder with a flake and the same images as a plain file. */
export interface NixFixture {
  readonly dir: string;
  /** As an installable's flake. */
  readonly flake: string;
  /** As `--file`. */
  readonly file: string;
  remove(): Promise<void>;
}

/** Writes the fixture into a temporary folder. */
export const createNixFixture = async (): Promise<NixFixture> => {
  const dir = await mkdtemp(join(tmpdir(), 'nix-images-fixture-'));
  await cp(join(REPOSITORY, 'nix'), join(dir, 'nix'), { recursive: true });
  await copyBusybox(join(dir, 'busybox', 'busybox'));
  await mkdir(join(dir, 'rootfs', 'etc'), { recursive: true });
  const texts = { 'packages.nix': PACKAGES, 'images.nix': IMAGES, 'flake.nix': FLAKE, 'default.nix': FILE };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(dir, name), text);
  await writeFile(join(dir, 'rootfs', 'etc', 'hello'), 'hello\n');
  // Store paths of its own, so that a test may remove them while another run builds its own.
  await writeFile(join(dir, 'salt.nix'), JSON.stringify(basename(dir)));
  return {
    dir,
    flake: `path:${dir}`,
    file: join(dir, 'default.nix'),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
};

/** The definition that `installable` names; fails where it names another tool's image. */
export const evaluateDefinition = async (
  nix: Nix,
  installable: Installable,
  system: System,
): Promise<EvaluatedDefinition> => {
  const evaluations = await evaluateImages(nix, installable, { systems: [system] });
  const evaluated = await evaluations.imageFor(system);
  if (evaluated.kind !== 'definition') throw new Error(`${evaluated.attribute} is no definition`);
  return evaluated;
};

/** The systems that have the image, each of which evaluates; fails as the image of the first system does where none has. */
export const systemsOf = async (nix: Nix, installable: Installable): Promise<readonly System[]> => {
  const possible = possibleSystems(installable);
  const { systems, imageFor } = await evaluateImages(nix, installable, { systems: possible });
  for (const system of systems.length > 0 ? systems : possible.slice(0, 1)) await imageFor(system);
  return systems;
};

type EvaluatedDefinition = Extract<Evaluated, { kind: 'definition' }>;
