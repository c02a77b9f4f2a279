import type { CompletedCommand, CompletedFlag } from './completed-command.ts';
import { quote } from './quote.ts';

/** Characters that end a part of a specification of `_arguments` stand behind a backslash. */
const plain = (text: string): string => text.replaceAll(/[\\[\]:]/g, '\\$&');

function action({ value }: CompletedFlag): string {
  if (value === undefined) return '';
  const offered = value.kind === 'file' ? '_files' : value.choices.length > 0 ? `(${value.choices.join(' ')})` : ' ';
  return `:${plain(value.placeholder)}:${offered}`;
}

function specifications(flag: CompletedFlag): string[] {
  const { name, short, description, repeatable, value } = flag;
  const all = short === undefined ? [name] : [name, `-${short}`];
  const once = repeatable ? '*' : all.length > 1 ? `(${all.join(' ')})` : '';
  // `--to VALUE` and `--to=VALUE`; a letter is followed by its value alone.
  const spelled = (word: string): string => (value !== undefined && word.startsWith('--') ? `${word}=` : word);
  return all.map((word) => quote(`${once}${spelled(word)}[${plain(description)}]${action(flag)}`));
}

/** A script for zsh (zsh's manual, "Completion System"). */
export const renderZsh = (commands: readonly CompletedCommand[]): string => {
  const names = [...commands, { name: 'completion', summary: 'Print a script for a shell' }];
  const cases = commands.flatMap(({ name, flags }) => [
    `    (${name})`,
    '      _arguments \\',
    ...flags.flatMap(specifications).map((specification) => `        ${specification} \\`),
    "        '*: :_files'",
    '      ;;',
  ]);
  return `#compdef nix-images
# Completion of nix-images for zsh, loaded from fpath or by eval: nix-images completion zsh > "\${fpath[1]}/_nix-images"
_nix-images() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '(-h --help)'{-h,--help}'[Show help]' '--version[Show the version]' '1: :->command' '*:: :->argument'
  case $state in
  (command)
    local -a commands=(
${names.map(({ name, summary }) => `      ${quote(`${name}:${plain(summary)}`)}`).join('\n')}
    )
    _describe command commands
    ;;
  (argument)
    case $line[1] in
    (completion) _values shell bash zsh fish ;;
${cases.join('\n')}
    esac
    ;;
  esac
}
if [[ \${funcstack[1]} == _nix-images ]]; then _nix-images "$@"; else compdef _nix-images nix-images; fi
`;
};
