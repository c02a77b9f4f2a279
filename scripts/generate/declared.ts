import type { FieldRow } from './field-table.ts';
import { code } from './markdown.ts';

/** The members of a mapping in YAML: what is indented further below `name:`, at its first occurrence. */
const section = (text: string, name: string): string => {
  const [, indent = '', rest = ''] = new RegExp(`^( *)${name}:\\n([\\s\\S]*)$`, 'm').exec(text) ?? [];
  const lines = rest.split('\n');
  const end = lines.findIndex((line) => line.trim() !== '' && !line.startsWith(`${indent} `));
  return (end === -1 ? lines : lines.slice(0, end)).join('\n');
};

/** A scalar as YAML has it: quoted, plain, or the first line of a text of several. */
const scalar = (text: string): string =>
  text.startsWith('"') ? String(JSON.parse(text)) : text.replace(/^'(.*)'$/, '$1');

const fieldOf = (body: string, name: string): string | undefined => {
  const [, value] = new RegExp(`^ +${name}: *(.*)$`, 'm').exec(body) ?? [];
  return value === undefined ? undefined : scalar(value);
};

const typeOf = (body: string, description: string): string => {
  const type =
    fieldOf(body, 'type') ?? (/^(?:true|false)$/.test(fieldOf(body, 'default') ?? '') ? 'boolean' : 'string');
  if (type === 'boolean') return 'true or false';
  if (/, a secret\b|^(?:Password|Token|Login)s?\b/.test(description)) return 'secret';
  if (type === 'number') return 'number';
  return /\bone (?:per|a) line\b/i.test(description) ? 'lines' : 'text';
};

const defaultOf = (body: string): string => {
  if (fieldOf(body, 'required') === 'true') return 'required';
  const value = fieldOf(body, 'default');
  if (value === '|') return 'below';
  return value === undefined || value === '' ? '' : code(value.replaceAll('\n', ', '));
};

/**
 * The inputs, secrets or outputs that the file of a workflow or an action declares, in its order. Outputs have neither type nor
 * default, secrets no type.
 */
export const declaredRows = (text: string, name: 'inputs' | 'secrets' | 'outputs'): FieldRow[] => {
  const body = section(text, name);
  const indent = /^ */.exec(body)?.[0] ?? '';
  return body.split(new RegExp(`^${indent}(?=[a-z])`, 'm')).flatMap((entry) => {
    const key = /^([a-z][a-z-]*):\n/.exec(entry)?.[1];
    if (key === undefined) return [];
    const description = fieldOf(entry, 'description') ?? '';
    if (name === 'outputs') return [{ name: key, description }];
    if (name === 'secrets') return [{ name: key, description }];
    return [{ name: key, type: typeOf(entry, description), fallback: defaultOf(entry), description }];
  });
};
