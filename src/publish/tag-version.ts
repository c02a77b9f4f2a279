/** A version as Semantic Versioning 2.0.0 writes it, with or without a `v` before it. */
interface Version {
  readonly major: string;
  readonly minor: string;
  readonly patch: string;
  /** What follows `-`: `beta.67`; undefined for a release. */
  readonly prerelease: string | undefined;
}

const NUMBER = '(0|[1-9]\\d*)';
const WORD = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const VERSION = new RegExp(
  `^v?${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-(${WORD}(?:\\.${WORD})*))?(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$`,
);

/** Undefined for what is not a version. What follows `+` is left out: it does not count, and no tag may have it. */
export function parseVersion(text: string): Version | undefined {
  const found = VERSION.exec(text);
  if (!found) return undefined;
  const [, major = '', minor = '', patch = '', prerelease] = found;
  return { major, minor, patch, prerelease };
}

/** `1.2.3`, `2.0.8-beta.67`. */
export const versionText = ({ major, minor, patch, prerelease }: Version): string =>
  `${major}.${minor}.${patch}${prerelease === undefined ? '' : `-${prerelease}`}`;
