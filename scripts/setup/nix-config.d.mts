/** The value of NIX_CONFIG with which Nix builds for both systems on this machine; nothing is written. */
export function nixConfig(): string;
