import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { buildError, parseBuildFailure } from '../../../src/nix/build-failure.ts';
import { evaluationFailure, nixMessage } from '../../../src/nix/failure.ts';

describe('what nix says', () => {
  test.each([
    ['2.8', "warning: dirty\nerror: boo\n(use '--show-trace' to show detailed location information)\n", 'boo'],
    [
      '2.26',
      `error:
       … while calling the 'throw' builtin
         at /nix/store/x-source/flake.nix:8:43:
            7|   in {
            8|     t = throw "boo";
             |         ^
            9|   };

       error: boo
`,
      'boo',
    ],
    ['several lines', "error: flake 'x' has no 'y'\n       Did you mean z?\n", "flake 'x' has no 'y'\nDid you mean z?"],
    ['no error', 'something\n', 'something'],
    ['nothing', '', 'nix said nothing'],
  ])('%s', (_name, stderr, message) => {
    expect(nixMessage(stderr)).toBe(message);
  });

  test.each([
    ['app#x', /\.\/app\.$/],
    ['./app#x', /cannot be fetched/],
    ['github:org/app#x', /cannot be fetched/],
    ['--file app x', /cannot be fetched/],
  ])('%s that cannot be found has a hint', (what, hint) => {
    const said = "error: unable to download 'https://x': Couldn't resolve host name (6)";
    expect(evaluationFailure(what, said)).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  test.each([
    ["error: unable to download 'https://x': Couldn't resolve host name (6)", /cannot be fetched/],
    ["error: getting status of '/x': No such file or directory", /[Cc]heck the path/],
    ['error: boo', /--show-trace/],
  ])('%s has a hint', (stderr, hint) => {
    expect(evaluationFailure('.#x', stderr)).toMatchObject({ code: 'evaluation', hint: expect.stringMatching(hint) });
  });
});

test.each([
  [
    `error: syntax error\n\n       at /nix/store/x-source/flake.nix:1:58:\n\n       1| x\n`,
    / syntax error \(at flake\.nix:1:58\)$/,
  ],
  [`error: syntax error\n       at /home/me/x.nix:7:1:\n       1| x\n`, / \(at \/home\/me\/x\.nix:7:1\)$/],
  [`error:\n … while calling\n   at /nix/store/x-source/a.nix:8:43:\n  8| t\n\n error: boo\n`, / failed: boo$/],
  ['error: boo', / failed: boo$/],
])('an evaluation that failed says at which line: %j', (stderr, message) => {
  expect(evaluationFailure('.#x', stderr).message).toMatch(message);
});

const DRV = '/nix/store/8vckzajvwz7y9cizvnlcr84nxp5a56nn-app.drv';
const PATH = '/nix/store/8vckzajvwz7y9cizvnlcr84nxp5a56nn-app';

describe('builds that fail', () => {
  test.each([
    [
      'system, 2.8 and 2.26',
      `error: a 'aarch64-linux' with features {} is required to build '${DRV}', but I am a 'x86_64-linux' with features {kvm}`,
      { kind: 'system', drvPath: DRV, needed: 'aarch64-linux', here: 'x86_64-linux' },
    ],
    [
      'features, 2.8 and 2.26',
      `error: a 'x86_64-linux' with features {kvm, second} is required to build '${DRV}', but I am a 'x86_64-linux' with features {kvm}`,
      { kind: 'features', drvPath: DRV, features: 'kvm, second' },
    ],
    [
      'features, 2.34',
      `error: Cannot build '${DRV}'.\n       Reason: missing system features\n       Required features: {second}\n       Available features: {kvm}`,
      { kind: 'features', drvPath: DRV, features: 'second' },
    ],
    [
      'system, 2.34',
      `error: Cannot build '${DRV}'.\n       Reason: platform mismatch\n       Required system: 'aarch64-linux'\n       Current system: 'x86_64-linux'\n`,
      { kind: 'system', drvPath: DRV, needed: 'aarch64-linux', here: 'x86_64-linux' },
    ],
    [
      'hash',
      `error: hash mismatch in fixed-output derivation '${DRV}':\n         specified: sha256-A=\n            got:    sha256-B=\n`,
      { kind: 'hash', drvPath: DRV, specified: 'sha256-A=', got: 'sha256-B=' },
    ],
    [
      'hash, Lix',
      `error: hash mismatch in fixed-output derivation '${DRV}':\n    likely URL: https://x.org/a.tar.gz\n     specified: sha256-A=\n           got: sha256-B=\n expected path: ${PATH}\n      got path: ${PATH}`,
      { kind: 'hash', drvPath: DRV, specified: 'sha256-A=', got: 'sha256-B=' },
    ],
    [
      'no builds here, 2.34',
      `error: Cannot build '${DRV}'.\n       Reason: local builds are disabled (max-jobs = 0)\n       Hint: set 'max-jobs'`,
      { kind: 'jobs', drvPath: DRV },
    ],
    [
      'builder, 2.8',
      `error: builder for '${DRV}' failed with exit code 3\nerror: 1 dependencies of derivation 'y' failed`,
      { kind: 'builder', drvPath: DRV, reason: 'failed with exit code 3' },
    ],
    [
      'builder, 2.26 with its log',
      `error: builder for '${DRV}' failed with exit code 3;\n       last 25 log lines:\n       > x`,
      { kind: 'builder', drvPath: DRV, reason: 'failed with exit code 3' },
    ],
    [
      'builder, 2.34',
      `error: Cannot build '/nix/store/y.drv'.\n       Reason: 1 dependency failed.\nerror: Cannot build '${DRV}'.\n       Reason: builder failed with exit code 3.\n`,
      { kind: 'builder', drvPath: DRV, reason: 'builder failed with exit code 3' },
    ],
    ['derivation, 2.8', `error: cannot build missing derivation '${DRV}'`, { kind: 'derivation', drvPath: DRV }],
    ['derivation, 2.34', `error: failed to obtain derivation of '${DRV}'`, { kind: 'derivation', drvPath: DRV }],
    ['path, 2.8', `don't know how to build these paths:\n  ${PATH}\nerror: build failed`, { kind: 'path', path: PATH }],
    [
      'path, 2.34',
      `error: path '${PATH}' is required, but there is no substituter that can build it`,
      { kind: 'path', path: PATH },
    ],
    [
      'group',
      "error: the group 'nixbld' specified in 'build-users-group' does not exist",
      { kind: 'group', group: 'nixbld' },
    ],
    ['other', 'error: interrupted by the user', { kind: 'other' }],
  ])('%s', (_name, stderr, failure) => {
    expect(parseBuildFailure(stderr)).toEqual(failure);
  });

  test('a machine without the group of builders is told what to write', () => {
    const failure = parseBuildFailure("error: the group 'nixbld' specified in 'build-users-group' does not exist");
    expect(buildError(failure, '', [])).toMatchObject({ hint: expect.stringMatching('`build-users-group =`') });
  });

  test('a machine that builds nothing is told by which setting, and of no log', () => {
    const failure = parseBuildFailure(
      `error: Cannot build '${DRV}'.\nReason: local builds are disabled (max-jobs = 0)`,
    );
    expect(buildError(failure, '', [])).toMatchObject({ code: 'system', hint: expect.stringMatching(/^Set max-jobs/) });
  });

  test('a path that nothing builds may be the text of one of the flake', () => {
    const failure = parseBuildFailure(
      `error: path '${PATH}' is required, but there is no substituter that can build it`,
    );
    expect(buildError(failure, '', [])).toMatchObject({ hint: expect.stringContaining('toString ./FILE') });
  });

  test('a full disk is told from a broken build', () => {
    const failure = parseBuildFailure(`error: builder for '${DRV}' failed with exit code 1`);
    expect(buildError(failure, '', ['cp: No space left on device']).code).toBe('file');
    expect(buildError(failure, '', ['cp: wrong']).code).toBe('build');
  });
});

describe('hints of evaluations', () => {
  const hintOf = (what: string, stderr: string): string | undefined => evaluationFailure(what, stderr).hint;

  test.each([
    // As 2.8, 2.26 and git itself say it of a checkout that belongs to another user.
    ['.#app', "usage: git diff\nerror: program 'git' failed with exit code 129", 'safe.directory "$PWD"'],
    ['/srv/my repo#app', "error: program 'git' failed with exit code 129", "safe.directory '/srv/my repo'"],
    [
      '.#app',
      `error: opening Git repository "/srv/repo": repository path '/srv/repo' is not owned by current user`,
      'git config --global --add safe.directory /srv/repo',
    ],
    [
      '.#app',
      "fatal: detected dubious ownership in repository at '/__w/a/b'\nerror: program 'git' failed with exit code 128",
      'git config --global --add safe.directory /__w/a/b',
    ],
    ['services/api#app', "error: unable to download 'https://x': Couldn't resolve host name", 'write ./services/api'],
    ['api#app', "error: cannot find flake 'flake:api' in the flake registries", 'write ./api'],
    ['services/api', "error: unable to download 'https://x': Could not resolve hostname", 'write ./services/api'],
    ['github:org/repo#app', "error: unable to download 'https://x': HTTP error 404", 'check the network'],
    ['./services/api#app', "error: unable to download 'https://x': HTTP error 404", 'check the network'],
    // As 2.8 says it, of `.` and of a whole path.
    ['.#app', "error: 'file:///srv/my images' is not a valid URL", 'use a newer Nix'],
    ['/srv/caf\u00e9#app', "error: '/srv/caf\u00e9#app' is not a valid URL", 'use a newer Nix'],
    // The path is not what is wrong with these.
    ['/srv/app#x', "error: '/srv/app?ref=a b#x' is not a valid URL", '--show-trace'],
    ['https://x/a b#x', "error: 'https://x/a b#x' is not a valid URL", '--show-trace'],
  ])('%s: %s', (what, stderr, hint) => {
    expect(hintOf(what, stderr)).toContain(hint);
  });

  test.each([
    [['.#app'], '.#app'],
    [['./my images#app.x86_64-linux'], "'./my images#app.x86_64-linux'"],
    [['.#"a.b"'], `'.#"a.b"'`],
    [['--file', "/srv/it's/x.nix", 'app'], `--file '/srv/it'\\''s/x.nix' app`],
  ])('the command for %j can be pasted into a shell', (words, pasted) => {
    const { hint = '' } = evaluationFailure(words.join(' '), 'error: boo', words);
    expect(hint).toContain(`nix eval --show-trace ${pasted}`);
    const [, command = ''] = hint.split('--show-trace ');
    expect(execFileSync('bash', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })).toBe(
      `${words.join('\n')}\n`,
    );
  });
});
