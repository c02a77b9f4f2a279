import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import type { Nix } from '../nix/nix.ts';
import { settingsCommands } from '../nix/version.ts';
import type { System } from '../oci/system.ts';

/** Settings of Nix, by name, as words. */
export type NixSettings = ReadonlyMap<string, readonly string[]>;

const FEATURES = ['nix-command', 'flakes'];

/**
 * The settings as people's commands will meet them: with the features that nix.conf switches on, not those that this
 * project's own calls add. Throws UserError `evaluation` when Nix does not print them.
 */
export async function readNixSettings(nix: Nix, exec: Exec): Promise<NixSettings> {
  for (const command of settingsCommands(nix.version)) {
    const plain = await exec('nix', command);
    if (plain.exitCode === 0) return withStable(nix, parseSettings(plain.stdout));
    const result = await nix.command(command);
    // Without the feature the command itself does not run.
    if (result.exitCode === 0) return new Map([...parseSettings(result.stdout), ['experimental-features', []]]);
    nix.log.debug(result.stderr.trim());
  }
  throw new UserError('evaluation', `${nix.version.text} does not print its settings`);
}

/** To Determinate Nix these features are stable: they are always on, and not listed among the experimental ones even where nix.conf names them. */
function withStable({ version }: Nix, settings: NixSettings): NixSettings {
  if (version.implementation !== 'determinate') return settings;
  return new Map([
    ...settings,
    ['experimental-features', [...(settings.get('experimental-features') ?? []), ...FEATURES]],
  ]);
}

/** @internal Of lines such as `max-jobs = 1`. */
export const parseSettings = (text: string): NixSettings =>
  new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value = ''] = /^([a-z0-9-]+) =(.*)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, value.split(' ').filter((word) => word !== '')] as const];
    }),
  );

/** Lines of nix.conf missing on a machine; `settings` is undefined where there is no Nix yet. None when all is there. */
export function missingLines(settings: NixSettings | undefined, emulated: readonly System[]): string[] {
  const has = (name: string, word: string): boolean => settings?.get(name)?.includes(word) ?? false;
  const features = FEATURES.filter((feature) => !has('experimental-features', feature));
  const platforms = emulated.filter((system) => !has('extra-platforms', system));
  return [
    ...(features.length > 0 ? [`extra-experimental-features = ${features.join(' ')}`] : []),
    // Nix's own default is one job at a time.
    ...(settings === undefined || has('max-jobs', '1') ? ['max-jobs = auto'] : []),
    // `extra-` adds to the setting extra-platforms, which has a default of its own (i686-linux).
    ...(platforms.length > 0 ? [`extra-extra-platforms = ${platforms.join(' ')}`] : []),
  ];
}

/** Whether a daemon follows this user's wishes. `groups` are those of the user. */
export function isTrusted(settings: NixSettings, user: string, groups: readonly string[]): boolean {
  const names = new Set(['*', user, ...groups.map((group) => `@${group}`)]);
  return settings.get('trusted-users')?.some((name) => names.has(name)) ?? false;
}
