import { parseAllDocuments } from 'yaml';

/** YAML 1.2 as values; a doubled key is an error. */
export const readYaml = (text: string): unknown => readYamlDocuments(text)[0];

/** Every document of a text. Throws what the reader finds wrong, warnings too. */
export const readYamlDocuments = (text: string): unknown[] => documents(text, 'core');

/** The same with all scalars as the texts that are written there: `1` is not a number, nor `true` a truth. */
export const readYamlTexts = (text: string): unknown[] => documents(text, 'failsafe');

function documents(text: string, schema: 'core' | 'failsafe'): unknown[] {
  return parseAllDocuments(text, { schema, uniqueKeys: true }).map((document) => {
    const [wrong] = [...document.errors, ...document.warnings];
    if (wrong) throw wrong;
    return document.toJS();
  });
}
