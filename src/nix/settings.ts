import { z } from 'zod';
import { UserError } from '../io/error.ts';
import type { Nix } from './nix.ts';
import { settingsCommands } from './version.ts';

/** A store that nix may take paths from. */
export interface Substituter {
  /** As configured, for instance `https://cache.nixos.org?priority=40`. */
  readonly url: string;
  /** Whether its paths are taken without a trusted signature. */
  readonly trusted: boolean;
}

/** A URL without user, password and query, for messages. */
export const withoutSecrets = (url: string): string => url.replace(/\/\/[^/@]*@/, '//').replace(/\?.*$/, '');

const settingSchema = <T extends z.ZodType>(value: T) => z.looseObject({ value });

const settingsSchema = z.looseObject({
  substitute: settingSchema(z.boolean()).optional(),
  substituters: settingSchema(z.array(z.string())),
  'require-sigs': settingSchema(z.boolean()),
});

const isTrustedUrl = (url: string): boolean => {
  const query = url.split('?')[1] ?? '';
  const trusted = new URLSearchParams(query).get('trusted');
  return trusted === '1' || trusted === 'true';
};

/** Reads `nix config show --json`. Throws UserError `evaluation`. */
export const parseSubstituters = (output: string): readonly Substituter[] => {
  let settings: z.infer<typeof settingsSchema>;
  try {
    settings = settingsSchema.parse(JSON.parse(output));
  } catch (cause) {
    throw new UserError('evaluation', 'the settings of nix cannot be read', { cause });
  }
  if (settings.substitute?.value === false) return [];
  const unchecked = !settings['require-sigs'].value;
  return settings.substituters.value.map((url) => ({ url, trusted: unchecked || isTrustedUrl(url) }));
};

/** The substituters of this machine in their order. Throws UserError `evaluation`. */
export const readSubstituters = async (nix: Nix): Promise<readonly Substituter[]> => {
  for (const command of settingsCommands(nix.version)) {
    const result = await nix.command([...command, '--json']);
    if (result.exitCode === 0) return parseSubstituters(result.stdout);
    nix.log.debug(result.stderr.trim());
  }
  throw new UserError('evaluation', `${nix.version.text} does not print its settings`);
};
