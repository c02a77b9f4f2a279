/** A value of the YAML that examples are written in. */
export type Yaml = string | Yaml[] | { [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
}

/**
 * Reads the plain YAML of the examples, strictly: block mappings and sequences, `[a, b]`, `{}`, `|` texts, `---` between documents.
 * Scalars are texts as they stand. Throws on anything else.
 */
export const readBlockYaml = (text: string): Yaml[] =>
  text.split(/^---\n/m).map((document) => {
    const lines = document
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^ *# /.test(line))
      .map((line): Line => ({ indent: line.search(/\S/), text: line.trim() }));
    const value = block(lines, lines[0]?.indent ?? 0);
    if (lines[0] !== undefined) throw new Error(`wrong indentation: ${lines[0].text}`);
    return value;
  });

/** Takes the lines of a block off the list. */
function block(lines: Line[], indent: number): Yaml {
  const sequence: Yaml[] = [];
  const mapping: Record<string, Yaml> = {};
  const isSequence = lines[0]?.text.startsWith('- ') ?? false;
  for (let line = lines[0]; line?.indent === indent && line.text.startsWith('- ') === isSequence; line = lines[0]) {
    lines.shift();
    if (isSequence) {
      sequence.push(item(line, lines));
      continue;
    }
    const [, key = '', rest = ''] = /^([\w./-]+):(?: (.+))?$/.exec(line.text) ?? [];
    if (key === '' || Object.hasOwn(mapping, key)) throw new Error(`not a new key: ${line.text}`);
    mapping[key] = rest === '' ? block(lines, lines[0]?.indent ?? 0) : scalar(rest, lines, indent);
  }
  return isSequence ? sequence : mapping;
}

/** What stands behind a dash: a mapping that begins there, or a scalar. */
function item({ indent, text }: Line, lines: Line[]): Yaml {
  const inner = { indent: indent + 2, text: text.slice(2) };
  if (!/^[\w./-]+:( |$)/.test(inner.text)) return scalar(inner.text, lines, indent);
  lines.unshift(inner);
  return block(lines, inner.indent);
}

function scalar(text: string, lines: Line[], indent: number): Yaml {
  if (text === '{}') return {};
  if (text === '|') {
    const taken: string[] = [];
    while ((lines[0]?.indent ?? -1) > indent) taken.push(lines.shift()?.text ?? '');
    return taken.join('\n');
  }
  const list = /^\[(.*)\]$/.exec(text)?.[1];
  if (list !== undefined) return list.split(', ');
  if (/^[&*!{'"|>%@`]|: | #/.test(text)) throw new Error(`not a plain scalar: ${text}`);
  return text;
}
