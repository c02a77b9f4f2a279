import { UserError } from '../core/error.ts';

/** What a workflow asks of Nix, beside what is missing on a machine. */
interface AskedConfig {
  /** Lines of nix.conf. */
  readonly nixConfig: readonly string[];
  readonly acceptFlakeConfig: boolean;
  readonly substituters: readonly string[];
  readonly trustedPublicKeys: readonly string[];
  /** `HOST=TOKEN`, separated by white space. */
  readonly accessTokens: string | undefined;
  /** Where the netrc file with logins for binary caches lies. */
  readonly netrcFile: string | undefined;
}

/** `name = value` or an include (nix.conf(5)). */
const LINE = /^(?:[a-z][a-z0-9-]*\s*=|!?include\s+\S)/;

/** Checks a line of nix.conf. Throws UserError `input`. */
export function parseConfigLine(line: string): string {
  if (LINE.test(line)) return line;
  throw new UserError('input', `${JSON.stringify(line)} is not a line of nix.conf`, {
    hint: 'Write NAME = VALUE, such as sandbox = true.',
  });
}

/** Checks the address of a binary cache; a login in it would stand in logs. Throws UserError `input`. */
export function parseSubstituter(given: string): string {
  const wrong = (why: string, hint: string) => new UserError('input', `the substituter ${why}`, { hint });
  if (/\s/.test(given)) throw wrong(`${JSON.stringify(given)} has white space in it`, 'Write one a line.');
  if (!/^[a-z][a-z0-9+-]*:\/\//i.test(given)) {
    throw wrong(`${JSON.stringify(given)} is not a URL`, 'Write its URL, such as https://NAME.cachix.org.');
  }
  // The password is not quoted.
  if (/^[^/]*\/\/[^/]*:[^/]*@/.test(given)) throw wrong('has a password in it', 'Give it in the input `netrc`.');
  return given;
}

/** The tokens of `access-tokens`, by host. Throws UserError `input`, which quotes none. */
export function parseAccessTokens(text: string): ReadonlyMap<string, string> {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return new Map(
    words.map((word, at) => {
      const [, host = '', token = ''] = /^([^=]+)=(.+)$/.exec(word) ?? [];
      if (token !== '') return [host, token];
      throw new UserError('input', `access-tokens: entry ${at + 1} is not HOST=TOKEN`, {
        hint: 'Write github.com=TOKEN, one per line.',
      });
    }),
  );
}

/** The lines of nix.conf that were asked for. `extra-` adds to what the machine has. */
export function askedLines(asked: AskedConfig): string[] {
  const list = (name: string, words: readonly string[]) => (words.length > 0 ? [`${name} = ${words.join(' ')}`] : []);
  const tokens = [...parseAccessTokens(asked.accessTokens ?? '')].map(([host, token]) => `${host}=${token}`);
  return [
    ...asked.nixConfig,
    ...(asked.acceptFlakeConfig ? ['accept-flake-config = true'] : []),
    ...list('extra-substituters', asked.substituters),
    ...list('extra-trusted-public-keys', asked.trustedPublicKeys),
    ...list('extra-access-tokens', tokens),
    ...(asked.netrcFile === undefined ? [] : [`netrc-file = ${asked.netrcFile}`]),
  ];
}
