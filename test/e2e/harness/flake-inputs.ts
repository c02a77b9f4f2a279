/** The inputs of a flake that takes its packages and this project from folders, as Nix text. */
export const flakeInputs = (packages: string, release: string): string =>
  [
    `inputs.nixpkgs.url = "path:${packages}";`,
    `inputs.nix-images.url = "path:${release}";`,
    'inputs.nix-images.inputs.nixpkgs.follows = "nixpkgs";',
  ].join('\n  ');
