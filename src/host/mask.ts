/** Keeps the secrets of a run out of everything that is written. */
export interface Mask {
  add(value: string): void;
  apply(text: string): string;
}

export const MASKED = '***';

/** A line of a secret file that short (a lone brace) is no secret, and hiding it would spoil all output. */
const SHORTEST_LINE = 4;

const jsonEscaped = (value: string): string => JSON.stringify(value).slice(1, -1);

/** The forms in which a value may turn up: as it is, in a URL, in JSON, in a basic-auth header, line by line. */
const forms = (value: string): string[] => {
  const lines = value.split(/\r?\n/).filter((line) => line.trim().length >= SHORTEST_LINE);
  const base64 = Buffer.from(value).toString('base64');
  return [value, encodeURIComponent(value), jsonEscaped(value), base64, ...(value.includes('\n') ? lines : [])];
};

export const createMask = (): Mask => {
  let secrets: string[] = [];
  return {
    add: (value) => {
      const trimmed = value.trim();
      if (trimmed === '') return;
      // Longest first, so that a secret that contains another is hidden whole.
      secrets = [...new Set([...secrets, ...forms(trimmed)])].sort((a, b) => b.length - a.length);
    },
    apply: (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, MASKED), text),
  };
};
