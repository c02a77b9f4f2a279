import { useSuite } from './nix-kit.ts';

// The newer OpenSSH, which locks out more.
useSuite('trixie');
await import('./nix-ssh-keys-promises.ts');
