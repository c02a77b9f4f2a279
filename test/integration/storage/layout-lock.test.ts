import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/core/retry.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { LOCK_FILE, withLayoutLock } from '../../../src/storage/layout/layout-lock.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ROOT } from '../../support/root.ts';
import { useFolder } from './bench.ts';

const at = useFolder();

const manifest = (text: string) => {
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [], annotations: { text } }),
  );
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
};

const namesIn = async (folder: string): Promise<string[]> => {
  const { manifests } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
  return manifests
    .map(({ annotations }: { annotations: Record<string, string> }) => annotations['org.opencontainers.image.ref.name'])
    .toSorted();
};

/** A clock on which every wait passes at once, and takes a second longer than was asked: minutes are a few hundred looks. */
const fastClock = (): Clock => {
  let now = 0;
  return {
    now: () => now,
    sleep: async (ms) => {
      now += ms + 1000;
    },
    random: () => 0.5,
  };
};

/** The lock that a process leaves when it is killed while it holds it. */
const leftLock = async (folder: string): Promise<string> => {
  const module = JSON.stringify(join(ROOT, 'src/storage/layout/layout-lock.ts'));
  const program = `
    import { withLayoutLock } from ${module};
    await withLayoutLock(${JSON.stringify(folder)}, {}, async () => process.kill(process.pid, 'SIGKILL'));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
  await once(child, 'exit');
  return readFile(join(folder, LOCK_FILE), 'utf8');
};

describe('two that write one layout', () => {
  it('lose no name, and no one fails, also where the layout is new', async () => {
    const writers = ['a', 'b', 'c'];
    // A write reaches the disk before the next one begins, so few must do.
    const numbers = [1, 2, 3];
    await Promise.all(
      writers.map(async (who) => {
        const repository = new LayoutRepository(at('out'));
        for (const number of numbers) await repository.tag(`${who}-${number}`, manifest(`${who} ${number}`));
        await repository.commit();
      }),
    );
    expect(await namesIn(at('out'))).toEqual(writers.flatMap((who) => numbers.map((number) => `${who}-${number}`)));
    expect((await readdir(at('out'))).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it('wait for each other, and say for whom after a while', async () => {
    const log = memoryLog();
    let isDone = false;
    await mkdir(at('out'));
    const begin = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const first = withLayoutLock(at('out'), {}, async () => {
      begin.resolve();
      await end.promise;
      isDone = true;
    });
    await begin.promise;
    const clock = fastClock();
    const sleep = async (ms: number): Promise<void> => {
      await clock.sleep(ms);
      if (clock.now() > 2000) end.resolve();
      await new Promise(setImmediate);
    };
    await withLayoutLock(at('out'), { log, clock: { ...clock, sleep } }, async () => expect(isDone).toBe(true));
    await first;
    expect(log.lines).toEqual([
      `waiting for process ${process.pid} on ${hostname()}, which is writing to ${at('out')}`,
    ]);
  });

  it('do not wait for one that was killed', async () => {
    const repository = new LayoutRepository(at('out'));
    await repository.tag('a', manifest('a'));
    const text = await leftLock(at('out'));
    await repository.tag('b', manifest('b'));
    // Its number is that of another process now.
    await writeFile(at(`out/${LOCK_FILE}`), JSON.stringify({ ...JSON.parse(text), pid: process.pid }));
    await repository.tag('c', manifest('c'));
    expect(await namesIn(at('out'))).toEqual(['a', 'b', 'c']);
    expect((await readdir(at('out'))).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it.each([
    ['of another machine', { token: 'x', pid: 1, started: '1', host: 'elsewhere', machine: 'elsewhere' }],
    ['that is empty', undefined],
  ])('wait a minute for a lock %s', async (_, owner) => {
    await mkdir(at('out'));
    await writeFile(at(`out/${LOCK_FILE}`), owner === undefined ? '' : JSON.stringify(owner));
    const clock = fastClock();
    await withLayoutLock(at('out'), { clock }, async () => {});
    expect(clock.now()).toBeGreaterThan(60_000);
    expect(await readdir(at('out'))).toEqual([]);
  });

  it('give up when one holds it for ever, and when they are told to end', async () => {
    await mkdir(at('out'));
    const held = withLayoutLock(at('out'), {}, async () => {
      await expect(withLayoutLock(at('out'), { clock: fastClock() }, async () => {})).rejects.toMatchObject({
        code: 'file',
        message: expect.stringContaining(`held by process ${process.pid}`),
      });
      const signal = AbortSignal.timeout(50);
      await expect(withLayoutLock(at('out'), { signal }, async () => {})).rejects.toMatchObject({ code: 'cancelled' });
      return 'done';
    });
    expect(await held).toBe('done');
  });

  it('leave no lock in a folder that is no layout', async () => {
    await writeFile(at('letter.txt'), 'x');
    await expect(new LayoutRepository(at()).tag('a', manifest('a'))).rejects.toMatchObject({ code: 'file' });
    expect(await readdir(at())).toEqual(['letter.txt']);
  });
});
