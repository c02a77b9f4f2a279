import { expect, test } from 'vitest';
import { imageTestsSchema, stepsOf } from '../../../src/definition/image-tests.ts';

test.each<[string, object, string]>([
  [
    'a capability that is none',
    { capabilities: { drop: ['NET_BIND'] } },
    'expected a capability such as NET_BIND_SERVICE',
  ],
  ['a path with a colon', { tmpfs: { '/a:b': {} } }, 'must not contain a colon or comma'],
  ['a relative path', { volumes: { data: { name: 'x' } } }, 'expected an absolute path'],
  ['a name of a volume with a slash', { volumes: { '/data': { name: '../x' } } }, 'expected a name'],
  ['a place of two', { tmpfs: { '/d': {} }, volumes: { '/d': { name: 'x' } } }, '/d is a tmpfs and a volume'],
  ['a file that is gone', { tmpfs: { '/d': {} }, files: { '/d/x': {} } }, '/d/x is gone when the command ends'],
  ['an owner in a volume', { volumes: { '/d': { name: 'x' } }, files: { '/d/x': { uid: 0 } } }, 'owners are not seen'],
  ['a command beside steps', { command: ['x'], steps: [{}] }, 'a test of several steps states command in each of them'],
  ['a volume beside steps', { volumes: { '/d': { name: 'x' } }, steps: [{}] }, 'states volumes in each of them'],
  ['a step that cannot be', { steps: [{ entrypoint: [] }] }, 'an empty entrypoint needs a command'],
  ['steps in a step', { steps: [{ steps: [{}] }] }, 'Unrecognized key: "steps"'],
  ['no step', { steps: [] }, 'expected array to have >=1 items'],
])('%s is refused', (_name, one, message) => {
  const { error } = imageTestsSchema.safeParse({ one });
  // What is wrong with a key stands below its issue.
  expect(JSON.stringify(error?.issues)).toContain(JSON.stringify(message).slice(1, -1));
});

test('a test is one step, or those that it has, in their order', () => {
  const tests = imageTestsSchema.parse({
    one: { user: '7', capabilities: { drop: ['cap_chown'], add: ['ALL'] } },
    two: {
      timeout: 9,
      steps: [{ command: ['a'] }, { volumes: { '/d': { name: 'x' } }, files: { '/d/x': { mode: '0644' } } }],
    },
  });
  const [one, two] = [tests.one, tests.two].map((test) => stepsOf(test as never));
  expect(one).toMatchObject([{ user: '7', readOnly: false, capabilities: { drop: ['cap_chown'], add: ['ALL'] } }]);
  expect(two?.map(({ command }) => command)).toEqual([['a'], null]);
});
