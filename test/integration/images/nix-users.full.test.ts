import { useSuite } from './nix-kit.ts';

// What the other files promise of one release's packages, of the other's.
useSuite('own');
await import('./nix-users-promises.ts');
await import('./nix-ssh-keys-promises.ts');
