import { describe, expect, it, onTestFinished, test } from 'vitest';
import type { StartedRun } from '../../../src/oci/newer-run.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { promoteImage } from '../../../src/promote/promote-image.ts';
import { copyImage } from '../../../src/publish/copy-image.ts';
import { lookAtTags } from '../../../src/publish/move-tags.ts';
import { moveForward } from '../../../src/publish/settle-tags.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { readTagsOnce } from '../../../src/storage/read-tag.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { putRelease, SOURCE } from '../promote/kit.ts';
import { testDeps } from '../storage/kit.ts';

const signal = new AbortController().signal;
const run = (id: number, began?: number): StartedRun => ({ id: String(id), source: SOURCE, began });

/** A registry in which runs 1 and 2 have published to edge and run 3 has rolled it back, or a person. */
const rolledBack = async (by: StartedRun | undefined = run(3), options: EmulatorOptions = { referrersPerPage: 9 }) => {
  const emulator = await startEmulator(options);
  onTestFinished(() => emulator.stop());
  const deps = testDeps();
  const at = (name: string) => openRegistry(parseReference(`${emulator.host}/${name}`), 'write', deps);
  const [home, built] = [at('org/app'), at('org/built')];
  const first = await putRelease(home, 1);
  await putRelease(home, 2, 'edge');
  const { log, clock } = deps;
  const rollback = (mover: StartedRun | undefined) =>
    promoteImage(first, [{ kind: 'registry', repository: home, tags: ['edge'] }], {
      ...{ order: 'runs', kind: 'rollback', isRecorded: true, mayCreate: false, from: 'edge', by: undefined },
      ...{ run: mover, log, clock, signal },
    });
  await rollback(by);
  await Promise.all(['latest', 'sha-0000001', 'pr-7'].map((tag) => home.tag(tag, first)));
  const publish = async (mover: StartedRun | undefined, tags: readonly string[], made = 9) => {
    const image = await putRelease(built, made);
    const before = emulator.requests.length;
    const target = { kind: 'registry', repository: at('org/app'), tags } as const;
    const how = { referrers: false, verify: false, run: mover, log, clock, signal };
    const { left } = await copyImage(image, built, [target], how);
    const asked = emulator.requests.slice(before).filter(({ path }) => /referrers|sha256-/.test(path)).length;
    return { image, left: left.map(({ tag }) => tag), asked };
  };
  const meaning = async (tag: string): Promise<string | undefined> => (await home.getManifest(tag))?.digest;
  return { emulator, home, first, clock, log, rollback, publish, meaning };
};

describe('a channel that was rolled back', () => {
  it('is left alone by a re-run of an older publish, which says by whom', async () => {
    const { first, log, publish, meaning } = await rolledBack();
    expect(await publish(run(2), ['edge'], 2)).toMatchObject({ left: ['edge'] });
    expect(await meaning('edge')).toBe(first.digest);
    expect(log.lines.join('\n')).toMatch(
      /edge is not moved: the run 3 has rolled it back at 20\S+Z, later than this run began \(move-back moves it nevertheless\)/,
    );
  });

  it('moves on with a newer publish, which says so', async () => {
    const { log, publish, meaning } = await rolledBack();
    const { image, left } = await publish(run(4), ['edge']);
    expect([left, await meaning('edge')]).toEqual([[], image.digest]);
    expect(log.lines.join('\n')).toContain('edge was promoted at ');
  });

  it('moves back where that is asked for, without a look at records', async () => {
    const { publish, meaning } = await rolledBack();
    const { image, asked } = await publish(undefined, ['edge'], 2);
    expect([asked, await meaning('edge')]).toEqual([0, image.digest]);
  });

  test.each<[string, StartedRun, boolean]>([
    ['began before that', run(4, Date.parse('2026-01-01T00:00:00Z')), true],
    ['began after that', run(4, Date.parse('2999-01-01T00:00:00Z')), false],
    ['does not say when it began', run(4), true],
  ])('by a person is left alone by time: a publish that %s', async (_, mover, isLeft) => {
    const { publish } = await rolledBack({ id: '99', source: 'https://github.com/org/ops' });
    const { left } = await publish(mover, ['edge']);
    expect(left).toEqual(isLeft ? ['edge'] : []);
  });

  it('is left alone by a publish that moved it at the same moment', async () => {
    const { first, clock, rollback, publish, meaning } = await rolledBack();
    const { sleep } = clock;
    let isOver = false;
    // The pause after the move: the rollback, which is newer, comes in between.
    clock.sleep = async (ms, until) => {
      const wasOver = isOver;
      isOver = true;
      if (!wasOver) await rollback(run(5));
      await sleep.call(clock, ms, until);
    };
    await publish(run(4), ['edge'], 4);
    expect(isOver).toBe(true);
    expect(await meaning('edge')).toBe(first.digest);
  });
});

// The registry's own list and the one under the tag.
test('a publish asks for records once an image that its tags mean, not of tags of commits and pull requests, nor of new ones', async () => {
  const { publish } = await rolledBack();
  expect(await publish(run(9), ['edge', 'latest', 'sha-0000001', 'pr-7', 'new'])).toMatchObject({ left: [], asked: 2 });
  expect(await publish(run(10), ['sha-0000001', 'pr-7', 'other'], 10)).toMatchObject({ asked: 0 });
});

test('a publish has moved its tags before it is known that they stay, and is told when one does not', async () => {
  const { home, clock, log } = await rolledBack();
  const older = await home.getManifest('latest');
  if (!older) throw new TypeError('it was put');
  let isMovedBack = false;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  clock.sleep = async () => {
    await released;
    if (isMovedBack) await home.tag('latest', older);
  };
  const target = { kind: 'registry', repository: home, tags: ['latest'] } as const;
  const images = [await putRelease(home, 8), await putRelease(home, 9)] as const;
  const move = async (image: StoredManifest, id: number) => {
    const moves = await lookAtTags([target], readTagsOnce(), run(id));
    return await moveForward([target], moves, image, { run: run(id), log, clock, signal });
  };
  // Both have moved although the first is still being watched.
  const first = await move(images[0], 8);
  const second = await move(images[1], 9);
  expect((await home.getManifest('latest'))?.digest).toBe(images[1].digest);
  isMovedBack = true;
  release();
  await expect(second.settled).rejects.toThrow(`the tag latest does not stay at ${images[1].digest}`);
  // A newer run has it.
  await first.settled;
});

test('where the tag of a list holds something else, promotions are not known, and the publish goes on', async () => {
  const { home, first, publish, meaning, log } = await rolledBack(run(3), {});
  await home.tag(referrersTag(first.digest), await putRelease(home, 77));
  const { image } = await publish(run(2), ['edge'], 2);
  expect(await meaning('edge')).toBe(image.digest);
  expect(log.lines.join('\n')).not.toContain('rolled it back');
});
