import { UserError } from '../../core/error.ts';
import { didYouMean } from '../../core/nearest.ts';
import { cliFields } from '../argv.ts';
import { COMMON_FLAGS, type Command } from '../command.ts';
import { type FieldMeta, fieldDescription } from '../fields.ts';
import { flagWord, placeholderOf } from '../names.ts';
import { renderBash } from './bash.ts';
import type { CompletedFlag } from './completed-command.ts';
import { renderFish } from './fish.ts';
import { renderZsh } from './zsh.ts';

const SHELLS = { bash: renderBash, zsh: renderZsh, fish: renderFish } as const;

const COMMON: Readonly<Record<(typeof COMMON_FLAGS)[number], string>> = {
  json: 'Print the result as JSON.',
  verbose: 'Log every step.',
  help: 'Show help.',
  version: 'Show the version.',
};

const firstSentence = (text: string): string => /^(.*?)(?:[.;:](?:\s|$)|$)/s.exec(text.replaceAll('`', ''))?.[1] ?? '';

function flagValue(name: string, meta: FieldMeta): CompletedFlag['value'] {
  if (meta.kind === 'flag') return undefined;
  const placeholder = meta.kind === 'secret' ? 'FILE' : placeholderOf(name, meta);
  if (meta.allowed) return { placeholder, kind: 'choice', choices: meta.allowed };
  const isFile = meta.kind === 'path' || meta.kind === 'secret';
  return { placeholder, kind: isFile ? 'file' : 'text', choices: [] };
}

function completedFlags(command: Command): CompletedFlag[] {
  const own = cliFields(command.inputs).flatMap(([name, meta]): CompletedFlag[] => {
    if (meta.positional) return [];
    const word = flagWord(name, meta);
    const field = command.inputs[name];
    const description = firstSentence(field === undefined ? '' : fieldDescription(field));
    const flag = { short: meta.short, description, value: flagValue(name, meta), repeatable: meta.repeatable };
    const isOn = meta.kind === 'flag' && meta.fallback[0] === 'true';
    // What is on unless told is only ever switched off.
    return [{ ...flag, name: isOn ? `--no-${word}` : `--${word}` }];
  });
  const common = COMMON_FLAGS.map((name) => ({
    ...{ name: `--${name}`, short: name === 'help' ? 'h' : undefined },
    ...{ description: firstSentence(COMMON[name]), value: undefined, repeatable: false },
  }));
  return [...own, ...common];
}

/**
 * The script that teaches a shell to complete `nix-images`; it says at its top where it goes. Throws UserError `input` for
 * a shell that is not known.
 */
export function renderCompletion(shell: string | undefined, commands: readonly Command[]): string {
  const names = Object.keys(SHELLS);
  if (shell === undefined || !Object.hasOwn(SHELLS, shell)) {
    const what = shell === undefined ? 'completion needs a shell' : `unknown shell ${JSON.stringify(shell)}`;
    throw new UserError('input', what, { hint: `Use one of: ${names.join(', ')}.${didYouMean(shell ?? '', names)}` });
  }
  const completed = commands.map((command) => ({
    ...{ name: command.name, summary: firstSentence(command.summary), flags: completedFlags(command) },
  }));
  return SHELLS[shell as keyof typeof SHELLS](completed);
}
