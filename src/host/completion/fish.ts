import type { CompletedCommand, CompletedFlag } from './completed-command.ts';
import { quoteForFish } from './quote.ts';

function valueOptions({ value }: CompletedFlag): string {
  if (value === undefined) return '';
  if (value.kind === 'file') return ' -r -F';
  return value.choices.length > 0 ? ` -x -a ${quoteForFish(value.choices.join(' '))}` : ' -x';
}

function flagLine(command: string, flag: CompletedFlag): string {
  const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
  return `complete -c nix-images -n '__fish_seen_subcommand_from ${command}' -l ${flag.name.slice(2)}${short}${valueOptions(flag)} -d ${quoteForFish(flag.description)}`;
}

/** A script for fish 3 and newer (fish's manual, `complete`). */
export function renderFish(commands: readonly CompletedCommand[]): string {
  const names = [...commands.map(({ name }) => name), 'completion'];
  const lines = commands.flatMap(({ name, summary, flags }) => [
    `complete -c nix-images -f -n __fish_use_subcommand -a ${name} -d ${quoteForFish(summary)}`,
    ...flags.map((flag) => flagLine(name, flag)),
  ]);
  return [
    '# Completion of nix-images for fish: nix-images completion fish > ~/.config/fish/completions/nix-images.fish',
    `complete -c nix-images -f -n 'not __fish_seen_subcommand_from ${names.join(' ')}' -l help -s h -d 'Show help'`,
    `complete -c nix-images -f -n 'not __fish_seen_subcommand_from ${names.join(' ')}' -l version -d 'Show the version'`,
    `complete -c nix-images -f -n __fish_use_subcommand -a completion -d 'Print a script for a shell'`,
    `complete -c nix-images -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'`,
    ...lines,
    '',
  ].join('\n');
}
