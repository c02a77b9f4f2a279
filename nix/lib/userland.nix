# Files that programs expect of a system, whichever package they come from: time zones, names of services, how hosts are found.
{
  /**
    `files` and variables for an image, as `mkImage` takes them: with them `TZ` is obeyed by the C library, Python and Go, and
    getservbyname(3) finds names and /etc/hosts goes before DNS.

    # Type

    ```
    userlandOf :: attrs -> { files :: attrs, env :: attrs }
    ```
  */
  userlandOf = pkgs: {
    files = {
      "/usr/share/zoneinfo".target = "${pkgs.tzdata}/share/zoneinfo";
      "/etc/services".target = "${pkgs.iana-etc}/etc/services";
      "/etc/protocols".target = "${pkgs.iana-etc}/etc/protocols";
      "/etc/nsswitch.conf".text = "hosts: files dns\n";
    };
    # nixpkgs' C library has no folder for zones compiled in.
    env.TZDIR = "/usr/share/zoneinfo";
  };
}
