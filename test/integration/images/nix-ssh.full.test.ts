import { useSuite } from './nix-kit.ts';

useSuite('own');
await import('./nix-ssh-promises.ts');
