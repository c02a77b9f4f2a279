import { useSuite } from './nix-kit.ts';

// What the other files promise of one release's packages, of the other's.
useSuite('trixie');
await import('./nix-promises.ts');
await import('./nix-ssh-promises.ts');
