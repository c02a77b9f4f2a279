/** Columns of a line, as biome.json says. */
const WIDTH = 120;

const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;

/**
 * JSON as the formatter leaves it: objects broken, an array of scalars in one line where it fits.
 * `used` is how much of the line stands before the value.
 */
const render = (value: unknown, indent: string, used: number): string => {
  if (isScalar(value)) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    // One more column for the comma that may follow.
    if (value.every(isScalar) && used + line.length + 1 <= WIDTH) return line;
    return `[\n${value.map((item) => inner + render(item, inner, inner.length)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value as object).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([key, item]) => {
    const head = `${inner}${JSON.stringify(key)}: `;
    return head + render(item, inner, head.length);
  });
  return `{\n${lines.join(',\n')}\n${indent}}`;
};

/** JSON with two spaces and a line end, as `biome format` writes it. */
export const renderJson = (value: unknown): string => `${render(value, '', 0)}\n`;
