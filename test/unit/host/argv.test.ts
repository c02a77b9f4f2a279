import { describe, expect, test } from 'vitest';
import { run as runCommand } from '../../../src/commands/run.ts';
import { nearestNames } from '../../../src/core/nearest.ts';
import { readArguments } from '../../../src/host/argv.ts';
import { defineCommand } from '../../../src/host/command.ts';
import { flag, lines, text } from '../../../src/host/fields.ts';
import { renderCommandHelp, renderProgramHelp } from '../../../src/host/help.ts';
import { everything } from './commands.ts';

describe('reading arguments', () => {
  test.each<[string, string[], object]>([
    ['arguments in order', ['a', 'b', 'c'], { raw: { installable: 'a', more: ['b', 'c'] } }],
    [
      'flags anywhere',
      ['--to', 'x', 'a', '--dry-run', 'b'],
      { raw: { installable: 'a', more: ['b'], to: 'x', dryRun: 'true' } },
    ],
    ['value after equals', ['a', '--to=x=y'], { raw: { to: 'x=y' } }],
    ['repeated', ['a', '--tag', '1', '--tag=2'], { raw: { tag: ['1', '2'] } }],
    ['negated', ['a', '--no-reuse'], { raw: { reuse: 'false' } }],
    ['short', ['a', '-A', 'x'], { raw: { attribute: 'x' } }],
    ['after two dashes', ['--', '-a', '--to'], { raw: { installable: '-a', more: ['--to'] } }],
    ['common flags', ['a', '--json', '--verbose'], { json: true, verbose: true }],
    ['file of a secret', ['a', '--registry-token-file', 'f'], { secretFiles: { registryToken: 'f' } }],
    ['an empty value is a value', ['a', '--to='], { raw: { to: '' } }],
    ['help, however wrong the rest', ['--nonsense', '--help'], { help: true }],
    ['no help after two dashes', ['--', '--help'], { help: false, raw: { installable: '--help' } }],
  ])('%s', (_name, words, expected) => {
    expect(readArguments(everything, words)).toMatchObject(expected);
  });

  test.each<[string, string[], string]>([
    ['unknown flag', ['--sytem', 'x'], 'unknown flag --sytem. Did you mean --system?'],
    ['unknown and far', ['--zzzzzz'], 'unknown flag --zzzzzz.'],
    ['unknown, with no more than its dashes and two letters near', ['--image'], 'unknown flag --image.'],
    ['unknown letter', ['-q'], 'unknown flag -q.'],
    [
      'a secret in argv',
      ['--registry-token', 'x'],
      'unknown flag --registry-token. Did you mean --registry-token-file?',
    ],
    ['twice', ['--to', 'a', '--to', 'b'], '--to is given twice, but takes one value'],
    ['no value', ['--to'], '--to needs a value'],
    ['too much value', ['--dry-run=yes'], '--dry-run takes no value'],
    [
      'a flag as value',
      ['--to', '--tag', 'x'],
      '--to needs a value; one that begins with a dash is written --to=--tag',
    ],
  ])('%s is wrong use', (_name, words, message) => {
    expect(() => readArguments(everything, words)).toThrow(
      expect.objectContaining({ code: 'input', message, hint: 'nix-images everything --help lists what it takes.' }),
    );
  });

  test('an argument too many is wrong use, and inputs of the action are no flags', () => {
    const command = defineCommand({
      name: 'small',
      summary: 'Small.',
      inputs: {
        one: text({ description: 'One.', positional: true }),
        onRunner: flag({ description: 'Runner.', faces: 'action' }),
      },
      outputs: {},
      run: async () => ({ outputs: {}, data: null, text: '' }),
      present: (result) => result,
    });
    expect(() => readArguments(command, ['a', 'b'])).toThrow('unexpected argument "b"');
    expect(() => readArguments(command, ['--on-runner'])).toThrow(
      '--on-runner is not a flag, but an input of the action alone',
    );
    expect(renderCommandHelp(command, 80)).not.toContain('on-runner');
  });

  test.each([
    [['--', 'echo', 'hi'], undefined, ['echo', 'hi']],
    [['.#app', '--', '--flag', ''], '.#app', ['--flag', '']],
    [['.#app', 'echo', '--', '--', 'hi'], '.#app', ['echo', '--', 'hi']],
    [['.#app', 'echo', 'hi'], '.#app', ['echo', 'hi']],
    [['.#app', '--'], '.#app', []],
  ])('words after -- are arguments of the program that is started: %j', (words, installable, args) => {
    const { raw } = readArguments(runCommand, words);
    expect([raw.installable, raw.args ?? []]).toEqual([installable, args]);
  });
});

describe('help', () => {
  const help = renderCommandHelp(everything, 80);

  test.each([
    'Show what was given.\n',
    'Usage: nix-images everything INSTALLABLE [ELSE…] [--to DEST] [--tag TAG]…\n',
    '\nFirst paragraph.\n\nSecond paragraph.\n',
    '  INSTALLABLE             What to build. Required.\n',
    '  --to DEST               Where to. Default: oci:out.\n',
    '  --tag TAG               Tags. May be repeated.\n',
    '  -A, --attribute ATTRIBUTE\n                          Attribute.\n',
    '  --system SYSTEM         System. One of: x86_64-linux, aarch64-linux.\n',
    '  --dry-run               Change nothing.\n',
    '  --[no-]reuse            Take layers over. Default: true.\n',
    '  --registry-token-file FILE\n',
    'NIX_IMAGES_REGISTRY_TOKEN',
    '  --json                  Print the result as JSON.\n',
    'Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C.\n',
  ])('says %j', (part) => {
    expect(help).toContain(part);
  });

  test('names every flag and argument', () => {
    for (const name of ['more', 'tag', 'systems', 'format', 'dry-run', 'max-layers', 'out-dir']) {
      expect(help).toContain(name === 'more' ? 'ELSE' : `--${name}`);
    }
  });

  test.each([20, 40, 60, 80, 100, 300])('fits %i columns', (width) => {
    const widest = Math.max(
      ...renderCommandHelp(everything, width)
        .split('\n')
        .map((line) => line.length),
    );
    expect(widest).toBeLessThanOrEqual(Math.min(100, Math.max(width, 52)));
  });

  test('of the program lists the commands', () => {
    expect(renderProgramHelp([everything], 80)).toContain('  everything              Show what was given.\n');
  });
});

test.each<[string, string | undefined]>([
  ['bild', 'build'],
  ['publsih', 'publish'],
  ['pub', 'publish'],
  ['BUILD', 'build'],
  ['deploy', undefined],
  ['', undefined],
])('nearest to %j is %j', (word, expected) => {
  expect(nearestNames(word, ['build', 'publish', 'inspect'])[0]).toBe(expected);
});

test('a flag may have another name than its input, which repeats it', () => {
  const inputs = { tags: lines({ description: 'Tag.', flag: 'tag', short: 't' }) };
  const { post: _, ...rest } = everything;
  const command = defineCommand({ ...rest, inputs, run: () => Promise.reject(new Error('not run')) });
  expect(readArguments(command, ['--tag', 'a', '-t', 'b']).raw).toEqual({ tags: ['a', 'b'] });
  expect(() => readArguments(command, ['--tags', 'a'])).toThrow(/unknown flag --tags\. .*--tag/);
  expect(renderCommandHelp(command, 80)).toContain('-t, --tag TAGS');
});
