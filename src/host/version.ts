import manifest from '../../package.json' with { type: 'json' };

/** The version of this copy of nix-images. */
export const VERSION: string = manifest.version;

/** The repository that it comes from, as an address for people. */
export const REPOSITORY: string = manifest.repository.url.replace(/^git\+|\.git$/g, '');
