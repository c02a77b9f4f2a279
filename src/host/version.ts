import manifest from '../../package.json' with { type: 'json' };

/** The version of this copy of nix-images. */
export const VERSION: string = manifest.version;
