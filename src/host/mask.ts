import { asEntities } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';

/** Keeps the secrets of a run out of everything that is written. */
export interface Mask {
  /** Hides a secret of the user's, which is hidden in results too. */
  add(value: string): void;
  /**
   * Hides a token that a server chose, in logs and errors only. Results have digests and names, never tokens; a server
   * whose token is `sha256` must not spoil them.
   */
  addChosen(value: string): void;
  apply(text: string): string;
  /** The same for what a command prints as its result. */
  applyToResult(text: string): string;
}

const MASKED = '***';

/**
 * Shorter texts (a lone brace in a key file, a password of three letters) are not hidden: they stand in half of all words, so
 * hiding them would tell where they are and leave nothing to read.
 */
export const SHORTEST = 4;

/** Shorter tokens are words rather than secrets; those of registries have dozens of characters. */
const SHORTEST_CHOSEN = 16;

const jsonEscaped = (value: string): string => JSON.stringify(value).slice(1, -1);

/** The forms in which a value may turn up: as it is, in a URL, in JSON, in Markdown, in a basic-auth header, line by line. */
function forms(value: string): string[] {
  const lines = value.includes('\n') ? value.split(/\r?\n/).map((line) => line.trim()) : [];
  const base64 = Buffer.from(value).toString('base64');
  const written = [value, plainLine(value), encodeURIComponent(value.toWellFormed()), jsonEscaped(value), base64];
  return [...written, asEntities(value), ...lines].filter((form) => form.length >= SHORTEST);
}

/** Longest first, so that a secret that contains another is hidden whole. */
const merged = (secrets: readonly string[], value: string): string[] =>
  [...new Set([...secrets, ...forms(value)])].sort((a, b) => b.length - a.length);

const hide = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((masked, secret) => masked.replaceAll(secret, MASKED), text);

export function createMask(): Mask {
  let given: string[] = [];
  let all: string[] = [];
  return {
    add: (value) => {
      const trimmed = value.trim();
      if (trimmed.length < SHORTEST) return;
      given = merged(given, trimmed);
      all = merged(all, trimmed);
    },
    addChosen: (value) => {
      if (value.length >= SHORTEST_CHOSEN) all = merged(all, value);
    },
    apply: (text) => hide(text, all),
    applyToResult: (text) => hide(text, given),
  };
}
