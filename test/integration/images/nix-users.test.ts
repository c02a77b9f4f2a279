import { useSuite } from './nix-kit.ts';

// The newer Nix and OpenSSH.
useSuite('trixie');
await import('./nix-users-promises.ts');
