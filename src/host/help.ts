import { cliFields } from './argv.ts';
import type { Command } from './command.ts';
import { type FieldMeta, fieldDescription } from './fields.ts';
import { flagWord, placeholderOf, secretVariable } from './names.ts';
import { wrap } from './wrap.ts';

/** Help wider than this is hard to read, narrower than that cannot be laid out. */
const WIDEST = 100;
const NARROWEST = 40;

/** Where descriptions begin; a longer flag stands on a line of its own. */
const COLUMN = 26;

interface Row {
  readonly term: string;
  readonly text: string;
}

const bounded = (width: number): number => Math.min(WIDEST, Math.max(NARROWEST, width));

function renderRow({ term, text }: Row, width: number): string[] {
  const lines = wrap(text, width - COLUMN).map((line) => ' '.repeat(COLUMN) + line);
  const head = `  ${term}`;
  const [first = ''] = lines;
  if (head.length > COLUMN - 2) return [head, ...lines];
  return [(head.padEnd(COLUMN) + first.trimStart()).trimEnd(), ...lines.slice(1)];
}

const section = (title: string, rows: readonly Row[], width: number): string[] =>
  rows.length === 0 ? [] : ['', `${title}:`, ...rows.flatMap((row) => renderRow(row, width))];

function usageOf(name: string, meta: FieldMeta): string {
  const value = placeholderOf(name, meta);
  if (meta.positional) {
    const words = meta.repeatable ? `${value}…` : value;
    return meta.required ? words : `[${words}]`;
  }
  const word = flagWord(name, meta);
  const flag = meta.kind === 'flag' ? `--${word}` : `--${word} ${meta.kind === 'secret' ? 'FILE' : value}`;
  // A required secret may come from the environment as well, so its flag is never a must.
  const must = meta.required && meta.kind !== 'secret';
  return `${must ? flag : `[${flag}]`}${meta.repeatable ? '…' : ''}`;
}

/** Breaks between whole entries only: `[--to DEST]` stays in one piece. */
function wrapUsage(head: string, entries: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = head;
  for (const entry of entries) {
    if (line.length + 1 + entry.length > width) {
      lines.push(line);
      line = `      ${entry}`;
    } else line = `${line} ${entry}`;
  }
  return [...lines, line];
}

function usage(command: Command, width: number): string[] {
  const fields = cliFields(command.inputs);
  const ordered = [...fields.filter(([, meta]) => meta.positional), ...fields.filter(([, meta]) => !meta.positional)];
  const words = ordered.map(([name, meta]) => usageOf(name, meta));
  return wrapUsage(`Usage: nix-images ${command.name}`, words, width);
}

/** The description with the allowed values, the default and where a secret comes from. */
function detail(name: string, meta: FieldMeta, description: string): string {
  const parts = [description];
  if (meta.allowed !== undefined) parts.push(`One of: ${meta.allowed.join(', ')}.`);
  if (meta.kind === 'secret') {
    parts.push(`Read from the environment variable ${secretVariable(name)}, or from this file, which goes first.`);
  }
  if (meta.repeatable && !meta.positional) parts.push('May be repeated.');
  const fallback = meta.kind === 'flag' && meta.fallback[0] === 'false' ? [] : meta.fallback;
  // A folder's name of one point would stand before another one.
  const shown = fallback.map((value) => (value.endsWith('.') ? `\`${value}\`` : value));
  if (shown.length > 0) parts.push(`Default: ${shown.join(', ')}.`);
  else if (meta.required) parts.push('Required.');
  return parts.filter((part) => part !== '').join(' ');
}

function term(name: string, meta: FieldMeta): string {
  if (meta.positional) return placeholderOf(name, meta);
  const word = flagWord(name, meta);
  if (meta.kind === 'secret') return `--${word} FILE`;
  const short = meta.short === undefined ? '' : `-${meta.short}, `;
  if (meta.kind === 'flag') return `${short}--${meta.fallback[0] === 'true' ? '[no-]' : ''}${word}`;
  return `${short}--${word} ${placeholderOf(name, meta)}`;
}

const COMMON_ROWS: readonly Row[] = [
  { term: '--json', text: 'Print the result as JSON.' },
  { term: '--verbose', text: 'Log every step.' },
  { term: '-h, --help', text: 'Show this help.' },
];

const EXIT_CODES = 'Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C.';

/** What `nix-images COMMAND --help` prints, in lines of at most `width` columns (40 to 100). */
export function renderCommandHelp(command: Command, width: number): string {
  const columns = bounded(width);
  const rows = (positional: boolean): Row[] =>
    cliFields(command.inputs)
      .filter(([, meta]) => meta.positional === positional)
      .map(([name, meta]) => {
        const field = command.inputs[name];
        return { term: term(name, meta), text: detail(name, meta, field === undefined ? '' : fieldDescription(field)) };
      });
  const paragraphs = (command.description ?? '').split(/\n\s*\n/).filter((text) => text.trim() !== '');
  const lines = [
    ...wrap(command.summary, columns),
    '',
    ...usage(command, columns),
    ...paragraphs.flatMap((text) => ['', ...wrap(text, columns)]),
    ...section('Arguments', rows(true), columns),
    ...section('Flags', [...rows(false), ...COMMON_ROWS], columns),
    '',
    ...wrap(EXIT_CODES, columns),
  ];
  return `${lines.join('\n')}\n`;
}

/** What `nix-images --help` prints. */
export function renderProgramHelp(commands: readonly Command[], width: number): string {
  const columns = bounded(width);
  const lines = [
    ...wrap('Build OCI images from Nix definitions, per system, and publish them as one multi-arch image.', columns),
    '',
    'Usage: nix-images COMMAND [ARGUMENTS]',
    ...section(
      'Commands',
      [
        ...commands.map(({ name, summary }) => ({ term: name, text: summary })),
        { term: 'completion SHELL', text: 'Print a script that completes these words in bash, zsh or fish.' },
      ],
      columns,
    ),
    ...section(
      'Flags',
      [
        { term: '-h, --help', text: 'Show this help; after a command, its arguments and flags.' },
        { term: '--version', text: 'Show the version.' },
      ],
      columns,
    ),
    '',
    ...wrap(EXIT_CODES, columns),
  ];
  return `${lines.join('\n')}\n`;
}
