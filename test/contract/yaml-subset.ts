/** Reads the YAML that scripts/generate/yaml.ts writes, line by line and strictly: mappings, quoted texts, booleans. */
export const readYaml = (text: string): unknown => {
  const root: Record<string, unknown> = {};
  const open: { indent: number; into: Record<string, unknown> }[] = [{ indent: 0, into: root }];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^( *)([a-z][a-z0-9-]*):(?: (".*"|true|false|\{\}))?$/.exec(line);
    if (match === null) throw new Error(`not the YAML that is written here: ${line}`);
    const [, spaces = '', key = '', value] = match;
    while ((open.at(-1)?.indent ?? 0) > spaces.length) open.pop();
    const top = open.at(-1);
    if (top?.indent !== spaces.length) throw new Error(`wrong indentation: ${line}`);
    if (key in top.into) throw new Error(`doubled key: ${line}`);
    const child = {};
    top.into[key] = value === undefined ? child : JSON.parse(value);
    if (value === undefined) open.push({ indent: spaces.length + 2, into: child });
  }
  return root;
};
