/**
 * Reads the YAML of the examples in the documentation: mappings and lists by indentation or in brackets, literal blocks, texts
 * with and without double quotes, several documents. Strict: throws on a line that is anything else, and on a doubled key.
 */
export const readYamlDocuments = (text: string): unknown[] =>
  text.split(/^---\n/m).map((document) => {
    const reader: Reader = { lines: document.split('\n').map((line) => line.trimEnd()), at: 0 };
    const value = block(reader, 0);
    skipEmpty(reader);
    if (reader.at < reader.lines.length) throw new Error(`wrong indentation: ${reader.lines[reader.at]}`);
    return value;
  });

interface Reader {
  readonly lines: string[];
  at: number;
}

const indentOf = (line: string): number => line.length - line.trimStart().length;

const skipEmpty = (reader: Reader): void => {
  while (reader.lines[reader.at] === '') reader.at += 1;
};

/** The mapping or list whose lines have this indentation. */
function block(reader: Reader, indent: number): unknown {
  skipEmpty(reader);
  return reader.lines[reader.at]?.trimStart().startsWith('- ') ? list(reader, indent) : mapping(reader, indent);
}

function list(reader: Reader, indent: number): unknown[] {
  const items: unknown[] = [];
  for (;;) {
    skipEmpty(reader);
    const line = reader.lines[reader.at];
    if (line === undefined || indentOf(line) !== indent || !line.startsWith('- ', indent)) return items;
    const rest = line.slice(indent + 2);
    if (/^[\w-]+:( |$)/.test(rest)) {
      // A mapping that begins behind the dash.
      reader.lines[reader.at] = `${' '.repeat(indent + 2)}${rest}`;
      items.push(mapping(reader, indent + 2));
    } else {
      reader.at += 1;
      items.push(inline(rest));
    }
  }
}

function mapping(reader: Reader, indent: number): Record<string, unknown> {
  const into: Record<string, unknown> = {};
  for (;;) {
    skipEmpty(reader);
    const line = reader.lines[reader.at];
    if (line === undefined || indentOf(line) !== indent) return into;
    const match = /^([\w.-]+):(?: (.+))?$/.exec(line.slice(indent));
    if (!match) throw new Error(`not the YAML that is read here: ${line}`);
    const [, key = '', value] = match;
    if (key in into) throw new Error(`doubled key: ${line}`);
    reader.at += 1;
    if (value === '|') into[key] = literal(reader, indent);
    else into[key] = value === undefined ? nested(reader, indent) : inline(value);
  }
}

function nested(reader: Reader, indent: number): unknown {
  skipEmpty(reader);
  const below = indentOf(reader.lines[reader.at] ?? '');
  if (below <= indent) throw new Error(`nothing below: ${reader.lines[reader.at - 1]}`);
  return block(reader, below);
}

function literal(reader: Reader, indent: number): string {
  const start = reader.at;
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at] ?? '';
    if (line !== '' && indentOf(line) <= indent) break;
    reader.at += 1;
  }
  const lines = reader.lines.slice(start, reader.at);
  const cut = indentOf(lines.find((line) => line !== '') ?? '');
  return `${lines
    .map((line) => line.slice(cut))
    .join('\n')
    .trimEnd()}\n`;
}

/** A value on one line: brackets hold no further brackets but those of a mapping in a mapping. */
function inline(text: string): unknown {
  const inner = text.slice(1, -1).trim();
  if (text.startsWith('[') && text.endsWith(']')) return parts(inner).map(inline);
  if (text.startsWith('{') && text.endsWith('}')) {
    return Object.fromEntries(
      parts(inner).map((part) => {
        const [key = '', value] = part.split(/: (.*)/s);
        if (value === undefined) throw new Error(`not the YAML that is read here: ${text}`);
        return [key, inline(value)];
      }),
    );
  }
  if (text.startsWith('"')) return JSON.parse(text);
  if (/^(true|false|\d+)$/.test(text)) return JSON.parse(text);
  if (/^[&*!|>%@`'[{]/.test(text) || /: | #/.test(text)) throw new Error(`not the YAML that is read here: ${text}`);
  return text;
}

/** What commas separate, outside brackets. */
function parts(text: string): string[] {
  const found: string[] = [];
  let [depth, part] = [0, ''];
  for (const char of text) {
    if ('[{'.includes(char)) depth += 1;
    if (']}'.includes(char)) depth -= 1;
    if (char === ',' && depth === 0) {
      found.push(part.trim());
      part = '';
    } else part += char;
  }
  return part.trim() === '' ? found : [...found, part.trim()];
}
