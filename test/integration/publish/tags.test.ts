import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { lookAtTags, moveTags } from '../../../src/publish/move-tags.ts';
import { moveForward } from '../../../src/publish/settle-tags.ts';
import { readTagsOnce } from '../../../src/storage/read-tag.ts';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { start } from '../storage/client.ts';
import { indexOf, putImage } from '../storage/kit.ts';
import { expectClear, movedTags, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('tags');
});

afterAll(() => temp?.remove());

const ECR: EmulatorOptions['immutableTags'] = {
  status: 400,
  code: 'TAG_INVALID',
  message: "The image tag already exists in the 'app' repository and cannot be overwritten because it is immutable.",
};
const HARBOR = { status: 412, code: 'PRECONDITION', message: 'Failed to process request: configured as immutable' };
const HUB = { status: 403, code: 'DENIED', message: 'requested access to the resource is denied: tag is immutable' };

test('a publish to a repository whose tags cannot change: what is right is left alone, what differs is an error', async () => {
  const registry = await startEmulator({ immutableTags: ECR });
  onTestFinished(() => registry.stop());
  const to = [`${registry.host}/lab/app:v1`];
  const job: PublishJob = { image: 'chain', to, state: join(temp.path, 'state') };
  const first = await publish(job);
  const again = await publish({ ...job, more: ['--tag', 'latest'] });
  expect(again.digest).toBe(first.digest);
  expect(movedTags(registry)).toEqual(['lab/app:v1', 'lab/app:latest']);

  const changed = { ...job, settings: { rev: 'next' }, more: ['--tag', 'v2'] };
  const failed = await tryPublish(changed);
  expectClear(failed, /tag v1 .*change/, first.digest, /No tag was moved/, /Not moved: .*v1.*v2/, /new tag/);
  expect(registry.store.manifest('lab/app', 'v2')).toBeUndefined();
});

/** Two small images in a registry, and a target for the second one. */
const prepare = async (options: EmulatorOptions, tags: readonly string[]) => {
  const { emulator, open } = await start(options);
  const repository = open();
  const children = [
    { manifest: (await putImage(repository, 'amd64')).manifest, architecture: 'amd64' },
    { manifest: (await putImage(repository, 'arm64')).manifest, architecture: 'arm64' },
  ];
  const [old, index] = [indexOf(children.slice(1)), indexOf(children)];
  await repository.putManifest(index);
  return { emulator, repository, old, index, target: { repository, kind: 'registry', tags } as const };
};

describe('the step that moves tags', () => {
  test.each([
    ['ECR', ECR],
    ['Harbor', HARBOR],
    ['Docker Hub', HUB],
  ])('names tag, digests and remedy where %s keeps a tag', async (_name, immutableTags) => {
    const { emulator, repository, old, index, target } = await prepare({ immutableTags }, ['new', '1.0', 'other']);
    await repository.tag('1.0', old);
    const moves = await lookAtTags([target], readTagsOnce());
    expect(moves.map(({ before }) => before)).toEqual(['none', old.digest, 'none']);
    await expect(moveTags([target], moves, index, memoryLog())).rejects.toMatchObject({
      code: 'registry',
      message: expect.stringMatching(
        new RegExp(`1\\.0 change: it means ${old.digest}, and ${index.digest}.*No tag was moved.*Not moved:`),
      ),
      hint: expect.stringContaining('new tag'),
    });
    expect(emulator.store.manifest('org/app', 'new')).toBeUndefined();
  });

  test('asks once a tag, and puts none that is right', async () => {
    const { emulator, repository, index, target } = await prepare({ immutableTags: ECR }, ['1.0', '1']);
    await repository.tag('1.0', index);
    const before = emulator.requests.length;
    await moveTags([target], await lookAtTags([target], readTagsOnce()), index, memoryLog());
    expect(emulator.trace().slice(before)).toEqual(
      ['GET', 'GET', 'PUT'].map((method, at) => `${method} /v2/org/app/manifests/${at === 0 ? '1.0' : '1'}`),
    );
  });

  test('believes a tag that it has moved although the answer was lost', async () => {
    const { emulator, index, target } = await prepare({ immutableTags: ECR }, ['1.0']);
    emulator.inject({ kind: 'lose-answer', method: 'PUT', path: /manifests\/1\.0$/ });
    await moveTags([target], await lookAtTags([target], readTagsOnce()), index, memoryLog());
    expect(emulator.store.manifest('org/app', '1.0')?.bytes).toEqual(Buffer.from(index.bytes));
  });

  test('moves what holds something of another kind', async () => {
    const { emulator, index, target } = await prepare({}, ['1.0']);
    emulator.store.putManifest('org/app', '1.0', Buffer.from('{"schemaVersion":1}'), 'application/x');
    const moves = await lookAtTags([target], readTagsOnce());
    expect(moves.map(({ before }) => before)).toEqual(['unknown']);
    await moveTags([target], moves, index, memoryLog());
    expect(emulator.store.manifest('org/app', '1.0')?.bytes).toEqual(Buffer.from(index.bytes));
  });

  test('asks before each tag whether there is a reason to leave it, and leaves those for which there is', async () => {
    const { emulator, index, target } = await prepare({}, ['pr-7', 'main', 'pr-7-0123abc']);
    const asked: string[] = [];
    // The pull request is closed while its first tag is written.
    const whyLeft = async (tag: string) => {
      asked.push(`${tag} ${emulator.store.manifest('org/app', 'pr-7') !== undefined}`);
      return tag.startsWith('pr-7-') ? 'pull request 7 is closed' : undefined;
    };
    const log = memoryLog();
    const targets = [{ ...target, whyLeft }];
    const left = await moveTags(targets, await lookAtTags(targets, readTagsOnce()), index, log);
    expect(left.map(({ tag }) => tag)).toEqual(['pr-7-0123abc']);
    expect(asked).toEqual(['pr-7 false', 'main true', 'pr-7-0123abc true']);
    expect([...emulator.store.tags('org/app').keys()].sort()).toEqual(['main', 'pr-7']);
    expect(log.lines.join('\n')).toContain('pr-7-0123abc is not moved: pull request 7 is closed');
  });

  test.each([
    ['a clean-up of an open one is undone', undefined, true],
    ['what a clean-up of a closed one removed is not put again', 'pull request 7 is closed', false],
  ])('afterwards, %s', async (_name, why, isThere) => {
    const { emulator, index, target } = await prepare({}, ['pr-7']);
    let asked = 0;
    const whyLeft = async () => {
      asked += 1;
      return asked === 1 ? undefined : why;
    };
    const log = memoryLog();
    let removed = false;
    const sleep = async () => {
      if (!removed) emulator.store.removeManifest('org/app', 'pr-7');
      removed = true;
    };
    const targets = [{ ...target, whyLeft }];
    const { left, settled } = await moveForward(targets, await lookAtTags(targets, readTagsOnce()), index, {
      ...{
        run: { id: '7', source: 'https://github.com/org/app' },
        log,
        clock: { now: Date.now, random: () => 0, sleep },
      },
      signal: new AbortController().signal,
    });
    await settled;
    expect([left, removed, asked]).toEqual([[], true, isThere ? 3 : 2]);
    expect(emulator.store.manifest('org/app', 'pr-7') !== undefined).toBe(isThere);
    expect(log.lines.join('\n')).toContain(
      isThere ? 'moving it again' : 'pr-7 was moved, but pull request 7 is closed',
    );
  });

  test('says what has moved when another destination refuses', async () => {
    const healthy = await prepare({}, ['1.0', 'latest']);
    const ill = await prepare({}, ['1.0', 'latest']);
    ill.emulator.inject({ kind: 'status', status: 403, method: 'PUT', path: /manifests\/latest$/ });
    const targets = [healthy.target, ill.target];
    const names = targets.map(({ repository }) => repository.name);
    await expect(
      moveTags(targets, await lookAtTags(targets, readTagsOnce()), healthy.index, memoryLog()),
    ).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringMatching(
        new RegExp(`403.*Moved before: ${names[0]} 1\\.0, ${names[0]} latest, ${names[1]} 1\\.0\\.`),
      ),
    });
  });
});

describe('a re-run of an old run', () => {
  const SOURCE = 'https://github.com/org/app';
  const madeBy = (run: string, source = SOURCE) => ({
    'io.nix-images.image.run': run,
    'org.opencontainers.image.source': source,
  });

  test.each([
    ['moves what its own run made', madeBy('10'), true],
    ['moves what an older run made', madeBy('9'), true],
    ['leaves what a newer run made', madeBy('11'), false],
    ['compares numbers', madeBy('100'), false],
    ['moves what another repository made', madeBy('11', 'https://github.com/org/other'), true],
    ['moves what does not say who made it', {}, true],
    ['does not believe what is not a number', madeBy('11x'), true],
  ])('%s', async (_name, annotations, moves) => {
    const { repository, index, target } = await prepare({}, ['main', 'new']);
    const live = { ...JSON.parse(index.bytes.toString()), annotations };
    const bytes = Buffer.from(JSON.stringify(live));
    const before = { ...index, bytes, digest: digestOf(bytes) };
    await repository.tag('main', before);
    const log = memoryLog();
    const looked = await lookAtTags([target], readTagsOnce(), { id: '10', source: SOURCE });
    const left = await moveTags([target], looked, index, log);
    expect((await repository.getManifest('main'))?.digest).toBe(moves ? index.digest : before.digest);
    expect((await repository.getManifest('new'))?.digest).toBe(index.digest);
    expect(left.map(({ tag }) => tag)).toEqual(moves ? [] : ['main']);
    expect(log.lines.join('\n').includes('main is not moved: the newer run')).toBe(!moves);
  });

  test('a tag of a commit that comes to mean another image is warned of', async () => {
    const { repository, old, index, target } = await prepare({}, ['sha-0123abc']);
    await repository.tag('sha-0123abc', old);
    const log = memoryLog();
    await moveTags([target], await lookAtTags([target], readTagsOnce()), index, log);
    expect(log.lines.join('\n')).toContain('the same commit now gives another image');
  });
});
