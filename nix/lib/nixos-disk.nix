# From a NixOS system to the parts of a disk.
let
  inherit (import ./disk-tools.nix) toolsOf stubOf efiArchOf;
  inherit (import ./nixos-problems.nix) problemsOf;

  text = builtins.unsafeDiscardStringContext;

  # systemd-boot and the entry of the first generation, as NixOS's own installer names and writes them: it takes them over
  # at the first nixos-rebuild.
  systemdBootFiles =
    {
      config,
      pkgs,
      kernel,
      initrd,
      cmdline,
    }:
    let
      inherit (config.boot) loader;
      arch = efiArchOf pkgs.stdenv.hostPlatform.system;
      upper = { x64 = "X64"; aa64 = "AA64"; }.${arch};
      program = "${config.systemd.package}/lib/systemd/boot/efi/systemd-boot${arch}.efi";
      nameOf = path: text "/EFI/nixos/${baseNameOf (dirOf path)}-${baseNameOf path}.efi";
      entry = "nixos-generation-1.conf";
      timeout = if loader.timeout == null then "menu-force" else toString loader.timeout;
      conf = "timeout ${timeout}\ndefault ${entry}\n";
      editor = if loader.systemd-boot.editor then "" else "editor 0\n";
    in
    {
      "/EFI/BOOT/BOOT${upper}.EFI".source = program;
      "/EFI/systemd/systemd-boot${arch}.efi".source = program;
      "/loader/loader.conf".text = "${conf}${editor}console-mode ${loader.systemd-boot.consoleMode}\n";
      "/loader/entries/${entry}".text =
        "title ${config.system.nixos.distroName or "NixOS"}\n"
        + "sort-key ${loader.systemd-boot.sortKey or "nixos"}\n"
        + "version Generation 1 NixOS ${config.system.nixos.label or ""}\n"
        + "linux ${nameOf kernel}\ninitrd ${nameOf initrd}\noptions ${cmdline}\n";
      ${nameOf kernel}.source = kernel;
      ${nameOf initrd}.source = initrd;
    };

  loaderOf =
    config:
    if config.boot.loader.systemd-boot.enable or false then
      "systemd-boot"
    else
      config.disk.loader or null;

  osReleaseOf =
    config:
    let
      found = config.environment.etc."os-release".text or null;
    in
    if found == null then
      throw "mkDisk: nixos: environment.etc.\"os-release\" has no text, which the unified kernel image needs: give it as boot.osRelease"
    else
      found;

  systemOf =
    nixos:
    if builtins.isAttrs nixos && nixos ? config && nixos ? pkgs then
      nixos
    else
      throw "mkDisk: nixos: expected a NixOS system such as self.nixosConfigurations.server, got ${
        if builtins.isAttrs nixos && nixos ? drvPath then
          "the derivation ${nixos.name or ""}"
        else if builtins.isAttrs nixos then
          "a set without config and pkgs"
        else
          "a ${builtins.typeOf nixos}"
      }";

  # The first that is not null.
  either = a: b: if a != null then a else b;
in
{
  /**
    The parts of a disk that a NixOS system settles: `{ name, system, buildSystem, store, boot, espFiles, tools, partitions,
    verity, registration, loader, tests }`. What `given` says goes before what the system says. Fails with all that keeps
    the system from booting.

    # Type

    ```
    partsOf :: attrs -> attrs -> attrs
    ```
  */
  partsOf =
    nixos: given:
    let
      inherit (systemOf nixos) config pkgs;
      disk = config.disk or { };
      loader = either (given.loader or null) (loaderOf config);
      verity = given.verity or disk.verity or false;
      labels = {
        store = given.partitions.store.label or disk.labels.store or "nix-store";
        root = given.partitions.root.label or disk.labels.root or "nixos";
      };
      problems = problemsOf {
        inherit
          config
          pkgs
          loader
          labels
          verity
          ;
      };
      kernel = "${config.boot.kernelPackages.kernel}/${config.system.boot.loader.kernelFile}";
      initrd = "${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile}";
      cmdline = "init=${config.system.build.toplevel}/init ${toString config.boot.kernelParams}";
      hostName = config.networking.hostName or "";
      isUki = loader == "uki";
      parts = {
        inherit loader verity;
        name = either (config.system.image.id or null) (if hostName == "" then null else hostName);
        system = pkgs.stdenv.hostPlatform.system;
        buildSystem = pkgs.stdenv.buildPlatform.system or pkgs.stdenv.hostPlatform.system;
        store = [ "${config.system.build.toplevel}" ];
        tools = toolsOf pkgs;
        boot = {
          inherit kernel initrd cmdline;
          osRelease = given.boot.osRelease or (osReleaseOf config);
          uname = config.boot.kernelPackages.kernel.modDirVersion or null;
          stub = stubOf pkgs;
          verityArgument =
            if config.boot.initrd.nix-store-veritysetup.enable or false then "storehash" else "usrhash";
        };
        espFiles =
          if isUki then
            { }
          else
            systemdBootFiles {
              inherit
                config
                pkgs
                kernel
                initrd
                cmdline
                ;
            };
        partitions = {
          # systemd-boot keeps kernel and initrd of every generation.
          esp.sizeMiB = if isUki then 128 else 512;
          store.label = labels.store;
          root.label = labels.root;
        };
        registration = disk.registration or config.nix.enable or true;
        tests.boots.prompt = true;
      };
    in
    if problems == [ ] then
      parts
    else
      throw "mkDisk: nixos: no disk can be made of this system:${
        builtins.concatStringsSep "" (map (problem: "\n  ${problem}") problems)
      }";
}
