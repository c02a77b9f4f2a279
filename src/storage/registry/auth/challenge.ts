/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1). Scheme and parameter names are lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?:\\s+|$|(?=,))`, 'y');
const PARAMETER = new RegExp(`[\\s,]*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`, 'y');
// A header is at most as long as the HTTP client lets through; more challenges than this are nonsense.
const LIMIT = 16;

function parseParameters(header: string, start: number): [Record<string, string>, number] {
  const parameters = new Map<string, string>();
  let at = start;
  for (;;) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(header);
    if (match?.[1] === undefined) return [Object.fromEntries(parameters), at];
    parameters.set(match[1].toLowerCase(), match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '');
    at = PARAMETER.lastIndex;
  }
}

/** Parses a WWW-Authenticate header, which may hold several challenges. What cannot be read is left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  while (challenges.length < LIMIT) {
    SCHEME.lastIndex = at;
    const match = SCHEME.exec(header);
    if (match?.[1] === undefined) return challenges;
    const [parameters, next] = parseParameters(header, SCHEME.lastIndex);
    challenges.push({ scheme: match[1].toLowerCase(), parameters });
    at = next;
  }
  return challenges;
}
