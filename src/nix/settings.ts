import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { ExecResult } from '../core/exec.ts';
import type { Log } from '../core/log.ts';
import { type NixVersion, settingsCommands } from './version.ts';

/** A store that nix may take paths from. */
export interface Substituter {
  /** As configured, for instance `https://cache.nixos.org?priority=40`. */
  readonly url: string;
  /** Whether its paths are taken without a trusted signature. */
  readonly trusted: boolean;
}

/** A URL without user, password and query, for messages. */
export const withoutSecrets = (url: string): string => url.replace(/\/\/[^/@]*@/, '//').split('?', 1)[0] ?? '';

/** What Nix is set to do about stores. */
export interface StoreSettings {
  /** In their order; none where substitution is off. */
  readonly substituters: readonly Substituter[];
  /** URL of the store, where its paths cannot be read at their own place on this machine. */
  readonly elsewhere: string | undefined;
  /** Names of the keys whose signatures count. */
  readonly trustedKeys: readonly string[];
}

const settingSchema = <T extends z.ZodType>(value: T) => z.looseObject({ value });

const settingsSchema = z.looseObject({
  substitute: settingSchema(z.boolean()).optional(),
  substituters: settingSchema(z.array(z.string())),
  'require-sigs': settingSchema(z.boolean()),
  store: settingSchema(z.string()),
  'trusted-public-keys': settingSchema(z.array(z.string())).optional(),
});

function isTrustedUrl(url: string): boolean {
  const query = url.split('?')[1] ?? '';
  const trusted = new URLSearchParams(query).get('trusted');
  return trusted === '1' || trusted === 'true';
}

/** The store that is this machine's own, whatever Nix is set to. */
export const OWN_STORE = 'auto';

/**
 * Whether a store has no files on this machine: it is reached over a network, or keeps them packed. Evaluations would
 * have to read there what they have just written; newer versions of Nix do, file by file, and older ones cannot.
 */
export const hasNoFiles = (store: string): boolean => /^(?!local:|unix:)[a-z0-9+-]+:\/\//.test(store);

/** Stores whose files lie on this machine, opened by Nix itself or through a daemon, which may have any socket. */
const IN_PLACE = /^(auto|daemon|local|local:\/\/|unix:\/\/[^?]*)?(\?|$)/;

/** Parameters that put these files or their names at another place than `/nix/store`. */
const MOVED = /[?&](root|real|store)=/;

const isInPlace = (store: string): boolean => IN_PLACE.test(store) && !MOVED.test(store);

/** @internal Reads `nix config show --json`. Throws UserError `evaluation`. */
export function parseStoreSettings(output: string): StoreSettings {
  const what = 'the output of nix about its settings';
  const settings = decodeJson(output, settingsSchema, { code: 'evaluation', what });
  const elsewhere = isInPlace(settings.store.value) ? undefined : settings.store.value;
  const trustedKeys = (settings['trusted-public-keys']?.value ?? []).map((key) => key.split(':', 1)[0] ?? '');
  if (settings.substitute?.value === false) return { substituters: [], elsewhere, trustedKeys };
  const unchecked = !settings['require-sigs'].value;
  const substituters = settings.substituters.value.map((url) => ({ url, trusted: unchecked || isTrustedUrl(url) }));
  return { substituters, elsewhere, trustedKeys };
}

/** The part of `Nix` that settings are asked with. */
interface SettingsSource {
  readonly version: NixVersion;
  readonly log: Log;
  command(args: readonly string[]): Promise<ExecResult>;
}

/** Asks Nix for its settings. Throws UserError `evaluation`. */
export async function readStoreSettings(nix: SettingsSource): Promise<StoreSettings> {
  for (const command of settingsCommands(nix.version)) {
    const result = await nix.command([...command, '--json']);
    if (result.exitCode === 0) return parseStoreSettings(result.stdout);
    nix.log.debug(result.stderr.trim());
  }
  throw new UserError('evaluation', `${nix.version.text} does not print its settings`);
}

/**
 * Flags that decide about import from derivation: expressions that can be evaluated only after something has been built.
 * Unless it is asked for, an evaluation builds nothing.
 */
export const importFlags = (isAllowed: boolean): readonly string[] => [
  '--option',
  'allow-import-from-derivation',
  String(isAllowed),
];
