import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { toolImageKey } from '../../../src/definition/image-key.ts';
import type { Evaluated } from '../../../src/nix/found-image.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { openShelf } from '../../../src/serve/definition-shelf.ts';
import type { ServedPlatform } from '../../../src/serve/served-image.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ARM, X86 } from '../../support/systems.ts';

/** A tool's image, whose key follows from its path: what is told here of a definition is told of it. */
const evaluated = (path: string, system: Evaluated['system'] = X86): Evaluated =>
  ({
    kind: 'tool-image',
    name: 'app',
    tag: 'v1',
    system,
    attribute: '',
    toolImage: { kind: 'stream', outPath: path },
  }) as Evaluated;

/** A flake whose state a test sets, and what was done with it. */
function lab() {
  const state = {
    path: 'first' as string | UserError,
    arm: undefined as string | UserError | undefined,
    fingerprint: 'a' as string | undefined,
    broken: new Map<string, UserError>(),
    now: 0,
    damaged: new Set<string>(),
  };
  const done: string[] = [];
  const log = memoryLog();
  const shelf = openShelf({
    log,
    clock: { now: () => state.now, sleep: async () => {}, random: () => 0 },
    definitions: {
      text: '.',
      names: async () => ['app'],
      fingerprint: async () => state.fingerprint,
      evaluate: async (name) => {
        done.push('evaluate');
        if (name !== 'app') return undefined;
        if (state.path instanceof UserError) throw state.path;
        const arm = typeof state.arm === 'string' ? [evaluated(state.arm, ARM)] : [];
        const failures = state.arm instanceof UserError ? [state.arm] : [];
        return { name: 'app', tag: 'v1', platforms: [evaluated(state.path), ...arm], failures };
      },
    },
    make: async (what): Promise<ServedPlatform> => {
      const path = what.kind === 'tool-image' ? what.toolImage.outPath : '';
      const error = state.broken.get(path);
      if (error) throw error;
      done.push(`make ${path}`);
      const bytes = Buffer.from(`${path} ${what.system}`);
      return {
        system: what.system,
        key: toolImageKey({ kind: 'stream', outPath: path }, what.system),
        manifest: { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) },
        configDigest: digestOf(Buffer.from('{}')),
        config: { hasCommand: true },
        layers: [],
        blobs: new Map(),
        isDamaged: () => state.damaged.has(path),
        close: async () => void done.push(`close ${path}`),
      };
    },
  });
  const take = (): string[] => done.splice(0);
  const content = async (): Promise<string[]> =>
    ((await shelf.find('app'))?.platforms ?? []).map(({ manifest }) => Buffer.from(manifest.bytes).toString());
  return { state, shelf, log, take, content };
}

const failure = (message: string): UserError => new UserError('build', message);

test('an image is made once, and again when its files have changed and it is another one', async () => {
  const { state, shelf, take, content } = lab();
  expect(await content()).toEqual(['first x86_64-linux']);
  expect(take()).toEqual(['evaluate', 'make first']);
  expect((await shelf.find('app'))?.tags).toEqual(['v1', 'latest']);
  expect(take()).toEqual([]);
  // A file that does not concern it.
  state.fingerprint = 'b';
  await content();
  expect(take()).toEqual(['evaluate']);
  state.fingerprint = 'c';
  state.path = 'second';
  expect(await content()).toEqual(['second x86_64-linux']);
  expect(take()).toEqual(['evaluate', 'make second']);
  expect(shelf.held('app').map(({ platforms }) => platforms.length)).toEqual([1, 1]);
});

test('where nobody knows of changes, an evaluation counts for two seconds', async () => {
  const { state, take, content } = lab();
  state.fingerprint = undefined;
  await content();
  state.now = 1_999;
  await content();
  expect(take()).toEqual(['evaluate', 'make first']);
  state.now = 2_000;
  await content();
  expect(take()).toEqual(['evaluate']);
});

test('a flake that breaks leaves the last good image, and the error is told once', async () => {
  const { state, log, take, content } = lab();
  await content();
  state.fingerprint = 'b';
  state.path = failure('syntax error');
  expect(await content()).toEqual(['first x86_64-linux']);
  expect(await content()).toEqual(['first x86_64-linux']);
  expect(log.lines.filter((line) => line.includes('syntax error'))).toEqual([
    expect.stringMatching(/^app: syntax error; still serving the image before, sha256:[0-9a-f]{12}$/),
  ]);
  take();
  state.now = 10_000;
  await content();
  expect(take()).toEqual(['evaluate']);
  state.path = 'second';
  state.fingerprint = 'c';
  expect(await content()).toEqual(['second x86_64-linux']);
});

test('what was never good is an error for everyone who asks, and is not tried again at once', async () => {
  const { state, take, shelf } = lab();
  state.broken.set('first', failure('does not build'));
  await expect(shelf.find('app')).rejects.toThrow('does not build');
  await expect(shelf.find('app')).rejects.toThrow('does not build');
  expect(take()).toEqual(['evaluate']);
  state.broken.clear();
  state.now = 10_000;
  expect((await shelf.find('app'))?.platforms).toHaveLength(1);
});

test('another system that does not evaluate or build is left out', async () => {
  const { state, log, content } = lab();
  state.arm = 'arm';
  expect(await content()).toEqual(['first x86_64-linux', 'arm aarch64-linux']);
  state.fingerprint = 'b';
  state.arm = 'arm 2';
  state.broken.set('arm 2', failure('a machine of aarch64-linux is required'));
  expect(await content()).toEqual(['first x86_64-linux']);
  state.fingerprint = 'c';
  state.arm = failure('no such attribute');
  expect(await content()).toEqual(['first x86_64-linux']);
  expect(log.lines.filter((line) => line.includes('left out'))).toEqual([
    'app: left out for aarch64-linux: a machine of aarch64-linux is required',
    'app: left out: no such attribute',
  ]);
});

test('the last three images are held, and store paths of older ones are let go', async () => {
  const { state, shelf, take, content } = lab();
  for (const path of ['a', 'b', 'c', 'd']) {
    state.path = path;
    state.fingerprint = path;
    await content();
  }
  expect(take().filter((what) => what.startsWith('close'))).toEqual(['close a']);
  expect(shelf.held('app')).toHaveLength(3);
  await shelf.close();
  expect(take().sort()).toEqual(['close b', 'close c', 'close d']);
});

test('whoever comes while an image is made gets what is there when it is done, looked at once for all', async () => {
  const { state, shelf, take } = lab();
  const first = shelf.find('app');
  const others = [shelf.find('app'), shelf.find('app')];
  state.path = 'second';
  state.fingerprint = 'b';
  const texts = (await Promise.all([first, ...others])).map((image) =>
    Buffer.from(image?.platforms[0]?.manifest.bytes ?? []).toString(),
  );
  expect(texts.slice(1)).toEqual(['second x86_64-linux', 'second x86_64-linux']);
  expect(take().filter((what) => what === 'make second')).toHaveLength(1);
});

test('an image whose layer came out otherwise is made again', async () => {
  const { state, take, content } = lab();
  await content();
  state.damaged.add('first');
  take();
  await content();
  expect(take()).toEqual(['evaluate', 'make first']);
});

test('a name that is not there', async () => {
  const { shelf } = lab();
  expect(await shelf.find('other')).toBeUndefined();
  expect(shelf.held('other')).toEqual([]);
});

test('closes what a request has made that waited for another one when the shelf was closed', async () => {
  const { state, shelf, take } = lab();
  const first = shelf.find('app');
  // Until it has been evaluated, and is being made.
  for (let turn = 0; turn < 2; turn += 1) await Promise.resolve();
  state.fingerprint = 'b';
  state.path = 'second';
  const second = shelf.find('app');
  await shelf.close();
  await Promise.all([first, second]);
  const done = take();
  const made = done.filter((what) => what.startsWith('make ')).map((what) => what.replace('make ', 'close '));
  expect(made).toEqual(['close first', 'close second']);
  expect(done).toEqual(expect.arrayContaining(made));
});
