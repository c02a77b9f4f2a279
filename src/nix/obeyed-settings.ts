import type { Nix } from './nix.ts';

/** What a daemon says of settings that it does not take from this user (Nix 2.8 to 2.34, Lix). */
const IGNORED = /ignoring (?:the )?(?:untrusted substituter|client-specified setting|user-specified setting)/;

/**
 * Whether the Nix that builds takes substituters and keys from this user: without a daemon it does, and a daemon says by
 * itself what it does not take when it is spoken to. `nixConfig` is the whole of NIX_CONFIG with the settings in question.
 */
export async function areSettingsObeyed(nix: Nix, nixConfig: string): Promise<boolean> {
  const { stderr } = await nix.command(['store', 'ping'], { env: { NIX_CONFIG: nixConfig } });
  return !IGNORED.test(stderr);
}
