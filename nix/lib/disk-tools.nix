# The programs that write parts of a disk, from the package set of whoever builds it.
let
  binOf = package: package.bin or package;
in
rec {
  /**
    How UEFI calls the architecture of a system.

    # Type

    ```
    efiArchOf :: string -> string
    ```
  */
  efiArchOf = system: { x86_64-linux = "x64"; aarch64-linux = "aa64"; }.${system};

  /**
    The tools of a disk, as paths of programs. They run where the disk is made, whatever it boots.

    # Type

    ```
    toolsOf :: attrs -> { mkfsVfat, mtools, mkfsExt4, ukify }
    ```
  */
  toolsOf =
    pkgs:
    let
      build = pkgs.buildPackages or pkgs;
    in
    {
      mkfsVfat = "${binOf build.dosfstools}/bin/mkfs.vfat";
      mtools = "${binOf build.mtools}/bin/mtools";
      mkfsExt4 = "${binOf build.e2fsprogs}/bin/mkfs.ext4";
      ukify = "${build.systemdUkify}/bin/ukify";
    };

  /**
    systemd's stub of a unified kernel image for what `pkgs` run on.

    # Type

    ```
    stubOf :: attrs -> string
    ```
  */
  stubOf = pkgs: "${pkgs.systemd}/lib/systemd/boot/efi/linux${efiArchOf pkgs.stdenv.hostPlatform.system}.efi.stub";
}
