/** The few shapes of YAML that an action.yml has: nested mappings of texts and booleans. */
export type Yaml = string | boolean | { readonly [key: string]: Yaml };

const PLAIN_KEY = /^[a-z][a-z0-9-]*$/;

// JSON's strings are YAML 1.2 double-quoted scalars, whatever they hold.
const scalar = (value: string | boolean): string =>
  typeof value === 'boolean' ? String(value) : JSON.stringify(value);

/** Block style; every text is quoted, so that none is taken for a number, a boolean or a comment. */
export const renderYaml = (mapping: { readonly [key: string]: Yaml }, indent = ''): string =>
  Object.entries(mapping)
    .map(([key, value]) => {
      const name = PLAIN_KEY.test(key) ? key : JSON.stringify(key);
      if (typeof value !== 'object') return `${indent}${name}: ${scalar(value)}\n`;
      if (Object.keys(value).length === 0) return `${indent}${name}: {}\n`;
      return `${indent}${name}:\n${renderYaml(value, `${indent}  `)}`;
    })
    .join('');
