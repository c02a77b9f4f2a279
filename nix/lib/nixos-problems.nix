# What keeps a NixOS system from booting from a disk of ours, found before anything is built.
let
  systems = import ./systems.nix;

  quoted = names: builtins.concatStringsSep " or " names;

  # Loaders of NixOS that write a disk's boot sector or files of their own.
  foreignLoaders = [
    "grub"
    "generic-extlinux-compatible"
    "limine"
    "refind"
    "external"
    "initScript"
    "generationsDir"
    "raspberryPi"
    "efi-boot-stub"
  ];

  # All ways to write the device of a partition with that label.
  devicesOf = label: [
    "/dev/disk/by-partlabel/${label}"
    "/dev/disk/by-label/${label}"
    "PARTLABEL=${label}"
    "LABEL=${label}"
  ];

  ours = "import nixosModules.disk or nixosModules.ec2 of nix-images";
in
{
  /**
    What is wrong, a line each that names option, value and remedy; an empty list for a system that a disk can be made of.

    # Type

    ```
    problemsOf :: { config, pkgs, loader, labels, verity } -> [string]
    ```
  */
  problemsOf =
    {
      config,
      pkgs,
      loader,
      labels,
      verity,
    }:
    let
      inherit (config) fileSystems;
      platform = pkgs.stdenv.hostPlatform.system;
      foreign = builtins.filter (name: config.boot.loader.${name}.enable or false) foreignLoaders;
      root = fileSystems."/" or null;
      textOf = value: if value == null then "not set" else "\"${toString value}\"";
      mounts = builtins.attrValues fileSystems;
      isStore =
        mount:
        mount.fsType == "erofs"
        && builtins.elem mount.device (
          if verity then [ "/dev/mapper/nix-store" "/dev/mapper/usr" ] else devicesOf labels.store
        );
      stores = builtins.filter isStore mounts;
      espPath = config.boot.loader.efi.efiSysMountPoint;
      esp = fileSystems.${espPath} or null;
      otherEsps = builtins.filter (mount: mount.fsType == "vfat") mounts;
      line = isWrong: text: if isWrong then [ text ] else [ ];
    in
    line (!(builtins.elem platform systems))
      "nixpkgs.hostPlatform: is ${platform}, and disks are made for ${quoted systems}: build the system for one of them"
    ++ line (config.boot.isContainer or false)
      "boot.isContainer: is true, so the system has no kernel: take the configuration of a machine"
    ++ line (!(config.boot.initrd.enable or true))
      "boot.initrd.enable: is false, and the store is mounted in the initrd: leave it at true"
    ++ line (foreign != [ ])
      "boot.loader.${builtins.head foreign}.enable: is true, and disks boot by UEFI with a unified kernel image or systemd-boot: set it to false"
    ++ line (loader == null && foreign == [ ])
      "boot.loader: no boot loader is enabled: ${ours}, set boot.loader.systemd-boot.enable = true, or give mkDisk loader = \"uki\""
    ++ (
      if root == null then
        [ "fileSystems.\"/\": is missing: ${ours}, or set device = \"/dev/disk/by-partlabel/${labels.root}\" and fsType = \"ext4\"" ]
      else
        line (root.fsType != "ext4")
          "fileSystems.\"/\".fsType: is ${textOf root.fsType}, and the root of a disk is made as ext4: set it to \"ext4\""
        ++ line (!(builtins.elem root.device (devicesOf labels.root)))
          "fileSystems.\"/\".device: is ${textOf root.device}, and the root's label is ${labels.root}: set it to \"/dev/disk/by-partlabel/${labels.root}\", or partitions.root.label of mkDisk to yours"
    )
    ++ line (stores == [ ])
      "fileSystems: none is the store, an EROFS ${
        if verity then "on /dev/mapper/nix-store" else "with the label ${labels.store}"
      }: ${ours}, or mount \"${
        if verity then "/dev/mapper/nix-store" else "/dev/disk/by-partlabel/${labels.store}"
      }\" with fsType = \"erofs\" and neededForBoot = true"
    ++ builtins.concatMap (
      mount:
      line (mount.mountPoint != "/nix/store" && !(mount.neededForBoot or false))
        "fileSystems.\"${mount.mountPoint}\".neededForBoot: is false, and without the store nothing can start: set it to true"
    ) stores
    ++ line (stores != [ ] && !(fileSystems ? "/nix/store"))
      "fileSystems.\"/nix/store\": is missing, and the store is mounted elsewhere: ${ours}, or lay an overlay over it"
    ++ (
      if loader != "systemd-boot" then
        [ ]
      else if esp == null then
        [
          "fileSystems.\"${espPath}\": is missing, and systemd-boot looks there (boot.loader.efi.efiSysMountPoint)${
            if otherEsps == [ ] then
              ": mount \"/dev/disk/by-partlabel/ESP\" there with fsType = \"vfat\""
            else
              "; the one vfat is at ${(builtins.head otherEsps).mountPoint}: mount it where systemd-boot looks, or set the option to that"
          }"
        ]
      else
        line (esp.fsType != "vfat")
          "fileSystems.\"${espPath}\".fsType: is ${textOf esp.fsType}, and the EFI system partition is vfat: set it to \"vfat\""
        ++ line (!(builtins.elem esp.device (devicesOf "ESP")))
          "fileSystems.\"${espPath}\".device: is ${textOf esp.device}, and the label of the EFI system partition is ESP: set it to \"/dev/disk/by-partlabel/ESP\""
    )
    ++ line (loader == "systemd-boot" && config.boot.initrd.secrets or { } != { })
      "boot.initrd.secrets: has ${builtins.head (builtins.attrNames config.boot.initrd.secrets)}, which only an installation adds to the initrd, and would be on every copy of the disk: leave it out, and give secrets to the running machine"
    ++ line (verity && loader == "systemd-boot")
      "boot.loader.systemd-boot.enable: is true, and dm-verity needs the root hash in a unified kernel image: set it to false, or leave verity out";
}
