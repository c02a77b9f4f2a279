import type { CompletedCommand, CompletedFlag } from './completed-command.ts';
import { quote } from './quote.ts';

const words = (list: readonly string[]): string => quote(list.join(' '));

const spellings = ({ name, short }: CompletedFlag): string => (short === undefined ? name : `${name}|-${short}`);

function flagValues(flags: readonly CompletedFlag[]): string[] {
  return flags.flatMap((flag) => {
    if (flag.value === undefined) return [];
    // Nothing offered, and no flag either: the rest is the reader's.
    const offered = flag.value.kind === 'file' ? 'files=1' : `values=${words(flag.value.choices)}`;
    return [`        ${spellings(flag)}) flags= ${offered} ;;`];
  });
}

/** A script for bash 4 and newer (the bash manual, "Programmable Completion"). */
export const renderBash = (commands: readonly CompletedCommand[]): string => {
  const cases = commands.flatMap(({ name, flags }) => [
    `    ${name})`,
    `      flags=${words(flags.map((flag) => flag.name))} files=1`,
    '      case $previous in',
    ...flagValues(flags),
    '      esac',
    '      ;;',
  ]);
  return `# Completion of nix-images for bash: eval "$(nix-images completion bash)" in ~/.bashrc
_nix_images() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local flags= values= files=
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    values=${words([...commands.map(({ name }) => name), 'completion', '--help', '--version'])}
  else
    case \${COMP_WORDS[1]} in
    completion) values='bash zsh fish' ;;
${cases.join('\n')}
    esac
  fi
  [[ $current == -* ]] && values="$values $flags"
  # Unquoted on purpose: each word is one candidate, and none has a blank.
  COMPREPLY=($(compgen -W "$values" -- "$current"))
  [[ \${#COMPREPLY[@]} -gt 0 || -z $files || $current == -* ]] || compopt -o default
}
complete -F _nix_images nix-images
`;
};
