import { expect } from 'vitest';
import { moverOf, readChannel } from '../../../src/channel/channel.ts';
import { watchedPlace } from '../../../src/commands/preview-watch.ts';
import { imageRun } from '../../../src/oci/newer-run.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { promoteImage } from '../../../src/promote/promote-image.ts';
import { rollbackTarget } from '../../../src/promote/rollback.ts';
import { wholeImage } from '../../../src/promote/whole-image.ts';
import type { AskPulls } from '../../../src/prune/prune.ts';
import { prunePlace } from '../../../src/prune/prune.ts';
import { RegistryPlace } from '../../../src/prune/registry-place.ts';
import { copyImage } from '../../../src/publish/copy-image.ts';
import { publishIndex } from '../../../src/publish/publish-index.ts';
import { openForRemoval, openRegistry } from '../../../src/storage/open.ts';
import { readTagsOnce } from '../../../src/storage/read-tag.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { chancesOf } from '../../support/chances.ts';
import { IdleClock } from '../../support/idle-clock.ts';
import { SOURCE } from '../promote/kit.ts';
import { policyOf } from '../prune/kit.ts';
import { type TestDeps, testDeps } from '../storage/kit.ts';
import { attempt, buildImage, missingParts, onItsWay, REPOSITORY, sign } from './kit.ts';

/** Milliseconds that a request takes at most on its way there, or back. */
const LATENCY = 120;

/** Milliseconds within which all begin. */
const BEGIN = 3000;

const signal = new AbortController().signal;

const DELETES = ['tags', 'digests'] as const;

/** A pull request that is closed meanwhile, one that stays open, and one whose number begins alike. */
const [CLOSED, OPEN, ALIKE] = [2, 3, 26];

const commitTag = (run: number): string => `sha-${run.toString(16).padStart(7, '0')}`;
const previewTags = (number: number, run: number): string[] => [
  `pr-${number}`,
  `pr-${number}-${run.toString(16).padStart(7, '0')}`,
];

/** One interleaving, and what is wrong at its end. */
export const race = async (
  seed: number,
): Promise<{ readonly wrong: string[]; readonly refused: string[]; readonly ended: number }> => {
  const random = chancesOf(seed);
  const clock = new IdleClock(random);
  const deletes = DELETES[Math.floor(random() * DELETES.length)] ?? 'tags';
  const hasList = random() < 0.6;
  const emulator = await startEmulator({ deletes, ...(hasList ? { referrersPerPage: 9 } : {}) });
  try {
    const tracked: typeof fetch = (...args) => clock.track(fetch(...args));
    const way = () => clock.sleep(Math.floor(random() * LATENCY));
    const plain = testDeps({ clock, fetch: tracked });
    const slow = (): TestDeps =>
      testDeps({
        clock,
        fetch: async (...args) => {
          await way();
          const answer = await tracked(...args);
          await way();
          return answer;
        },
      });
    const open = (deps: TestDeps, name = REPOSITORY) =>
      openRegistry(parseReference(`${emulator.host}/${name}`), 'write', deps);
    const home = open(plain);
    const built = open(plain, 'org/built');
    const tools = { log: plain.log, clock, signal };
    const runOf = (run: number) => ({ id: String(run), source: SOURCE });

    // The image for AArch64 is made by every third run only: indexes share it.
    const publish = async (run: number, tags: readonly string[], deps: TestDeps): Promise<StoredManifest> => {
      const amd64 = await buildImage(built, run, 'amd64');
      const arm64 = await buildImage(built, run - (run % 3), 'arm64');
      const images = [
        onItsWay(open(deps, 'org/built'), amd64, 'x86_64-linux'),
        onItsWay(open(deps, 'org/built'), arm64, 'aarch64-linux'),
      ];
      const target = { repository: open(deps), kind: 'registry', tags } as const;
      const { index, settled } = await publishIndex(images, [target], {
        ...{ verify: false, read: readTagsOnce(), run: runOf(run), ...tools },
      });
      await settled;
      return index;
    };

    const states = new Map([
      [CLOSED, 'open'],
      [OPEN, 'open'],
      [ALIKE, 'open'],
    ] as [number, 'open' | 'closed'][]);
    const askPulls: AskPulls = async (numbers) => {
      await way();
      const answer = new Map(numbers.map((number) => [number, states.get(number) ?? ('unknown' as const)]));
      await way();
      return answer;
    };
    const prune = async (who: string, policy: Parameters<typeof policyOf>[0], isWatched: boolean): Promise<void> => {
      const { repository, removal } = openForRemoval(parseReference(`${emulator.host}/${REPOSITORY}`), slow());
      const place = new RegistryPlace({ repository, removal, log: plain.log, run: who });
      const options = { policy: policyOf(policy), askPulls, dryRun: false, force: false, limit: 1000 };
      const { error } = await prunePlace(isWatched ? watchedPlace(place, askPulls, plain.log) : place, {
        ...options,
        ...tools,
      });
      if (error) throw error;
    };
    const clean = (who: string) => prune(who, { closedPreviews: true }, true);

    // What was there before: three releases, of which one is stable after another was, and a preview of each pull request.
    const signatures = new Map<string, StoredManifest>();
    const first: StoredManifest[] = [];
    for (const run of [1, 2, 3, 4]) {
      const index = await publish(run, ['main', commitTag(run)], plain);
      first.push(index);
      signatures.set(index.digest, await sign(home, index, clock));
    }
    const [oldest, second] = first as [StoredManifest, StoredManifest];
    const target = (deps: TestDeps) => [{ kind: 'registry', repository: open(deps), tags: ['stable'] } as const];
    const forward = { order: 'forward', isRecorded: true, kind: 'promote', from: 'main', by: undefined } as const;
    await promoteImage(oldest, target(plain), { ...forward, mayCreate: true, run: runOf(5), ...tools });
    await promoteImage(second, target(plain), { ...forward, mayCreate: false, run: runOf(6), ...tools });
    const previews = new Map<number, StoredManifest>();
    for (const [number, run] of [
      [CLOSED, 7],
      [OPEN, 8],
      [ALIKE, 9],
    ] as const) {
      const index = await publish(run, previewTags(number, run), plain);
      previews.set(number, index);
      signatures.set(index.digest, await sign(home, index, clock));
    }
    const own = previews.get(CLOSED) as StoredManifest;
    // A person's own tag, and one image of two pull requests.
    if (random() < 0.5) await home.tag(`pr-${CLOSED}-rc`, own);
    if (random() < 0.3) await home.tag(`pr-${ALIKE}-0000007`, own);
    const kept = [...emulator.store.tags(REPOSITORY).keys()].filter((tag) => /^pr-(?:3|26)|-rc$/.test(tag));
    await clock.sleep(20_000);

    const done = { main: [4], stable: [6], there: [...kept, 'main', 'stable'] };
    const runs = [10, 11, 12, 13, 14, 15, 16].sort(() => random() - 0.5);
    const next = (): number => runs.pop() as number;
    const actors: Readonly<Record<string, () => Promise<void>>> = {
      'publish one': async () => {
        const run = next();
        await publish(run, ['main', commitTag(run)], slow());
        done.main.push(run);
      },
      'publish another': async () => {
        const run = next();
        await publish(run, ['main', commitTag(run)], slow());
        done.main.push(run);
      },
      // What a merge publishes is often what the pull request's preview is, under a tag that is new.
      release: async () => {
        const image = random() < 0.5 ? own : oldest;
        const to = [{ kind: 'registry', repository: open(slow()), tags: ['v1'] } as const];
        await built.putManifest(image).catch(() => undefined);
        await copyImage(image, open(slow(), 'org/built'), to, {
          referrers: false,
          verify: false,
          run: runOf(next()),
          ...tools,
        });
        done.there.push('v1');
      },
      promote: async () => {
        const run = next();
        const source = open(slow());
        const image = await source.getManifest(random() < 0.5 ? 'main' : commitTag(3));
        if (image === undefined) return;
        await wholeImage(source, image);
        const [channel] = await promoteImage(image, target(slow()), {
          ...forward,
          mayCreate: false,
          run: runOf(run),
          ...tools,
        });
        if (channel?.outcome === 'moved') done.stable.push(run);
      },
      rollback: async () => {
        const run = next();
        const source = open(slow());
        const channel = { source, tag: 'stable' };
        const live = await readChannel(channel, plain.log);
        if (live === undefined) throw new TypeError('the channel is there from the beginning');
        const to = await rollbackTarget(channel, live, undefined);
        const image = await source.getManifest(to.digest);
        if (image === undefined) return;
        await wholeImage(source, image);
        const how = {
          order: 'runs',
          kind: 'rollback',
          isRecorded: true,
          mayCreate: false,
          from: 'main',
          by: undefined,
        } as const;
        const [moved] = await promoteImage(image, target(slow()), {
          ...{ ...how, below: { state: to.below }, expected: live.image.digest, run: runOf(run), ...tools },
        });
        if (moved?.outcome === 'moved') done.stable.push(run);
      },
      prune: () => prune('90', { keepLast: '2 of sha-*', keepTags: 'v*', closedPreviews: true, keepHistory: 9 }, false),
      close: async () => {
        states.set(CLOSED, 'closed');
        await clean('91');
      },
      // A build that may end after its pull request was closed: what it pushed goes again, whether all of it came or not.
      'late preview': async () => {
        const run = next();
        const failure = await attempt(async () => void (await publish(run, previewTags(CLOSED, run), slow())));
        if ((await askPulls([CLOSED])).get(CLOSED) === 'closed') await clean('92');
        if (failure !== undefined) lines.push(`late preview: ${failure}`);
      },
      'open preview': async () => {
        const run = next();
        await publish(run, previewTags(OPEN, run), slow());
        done.there.push(...previewTags(OPEN, run));
      },
    };
    const lines: string[] = [];
    const names = Object.keys(actors);
    // Some are not there; the pull request is always closed.
    const chosen = names.filter((name) => name === 'close' || name === 'prune' || random() < 0.75);
    await Promise.all(
      chosen.map(async (name) => {
        await clock.sleep(Math.floor(random() * BEGIN));
        const failure = await attempt(actors[name] as () => Promise<void>);
        if (failure !== undefined) lines.push(`${name}: ${failure}`);
      }),
    );
    await clock.sleep(20_000);

    // A release that came to a preview's image as that was to go keeps all of it: the sweep takes the preview's tags.
    const before = emulator.store.tags(REPOSITORY);
    if (before.has('v1') && before.get('v1') === before.get(`pr-${CLOSED}`)) await clean('93');
    const wrong = missingParts(emulator);
    const tags = emulator.store.tags(REPOSITORY);
    for (const tag of done.there) if (!tags.has(tag)) wrong.push(`${tag} is gone`);
    for (const tag of tags.keys())
      if (/^pr-2(?:-[0-9a-f]{7})?$/.test(tag)) wrong.push(`${tag} is still there, of a pull request that is closed`);
    const main = await home.getManifest('main');
    const newest = Math.max(...done.main);
    if (Number(main && imageRun(main)?.id) < newest)
      wrong.push(`main is of run ${main && imageRun(main)?.id}, not ${newest}`);
    const stable = await readChannel({ source: home, tag: 'stable' }, plain.log);
    const mover = Number(stable && moverOf(stable)?.id);
    if (!(mover >= Math.max(...done.stable)))
      wrong.push(`stable was moved by ${mover} last, not ${Math.max(...done.stable)}`);
    // What a rollback leads to now is there, and whole.
    if (stable?.head?.below !== undefined) {
      const to = await home.getManifest(stable.head.below.digest);
      if (to === undefined) wrong.push(`stable cannot be rolled back: ${stable.head.below.digest} is gone`);
      else await wholeImage(home, to);
    }
    for (const [tag, digest] of tags) {
      const manifest = await home.getManifest(tag);
      if (manifest === undefined) continue;
      if (emulator.store.manifest(REPOSITORY, digest)?.bytes.includes('removed-by')) {
        wrong.push(`${tag} is a placeholder`);
        continue;
      }
      const signature = signatures.get(digest);
      if (/^sha256-/.test(tag)) continue;
      // A tag of a commit means what its own run made, whoever else was at work.
      const made = /^(?:sha|pr-\d+)-([0-9a-f]{7})$/.exec(tag)?.[1];
      if (made !== undefined && Number(imageRun(manifest)?.id) !== Number.parseInt(made, 16))
        wrong.push(`${tag} means what run ${imageRun(manifest)?.id} made`);
      await wholeImage(home, manifest);
      if (signature === undefined) continue;
      const { entries } = await home.getReferrers(manifest.digest);
      if (!entries.some((one) => one.digest === signature.digest)) wrong.push(`${tag}: its signature is not listed`);
      if (emulator.store.manifest(REPOSITORY, signature.digest) === undefined)
        wrong.push(`${tag}: its signature is gone`);
    }
    return { wrong, refused: lines, ended: chosen.length - lines.length };
  } finally {
    await emulator.stop();
  }
};

/** Races with the seeds from `first` on, so many: nothing may be wrong at the end of any, and what is refused is the exception. */
export const expectRight = async (first: number, rounds: number): Promise<void> => {
  const wrong: string[] = [];
  let ended = 0;
  let refused = 0;
  for (let seed = first; seed < first + rounds; seed += 1) {
    const result = await race(seed);
    wrong.push(...result.wrong.map((one) => `seed ${seed}: ${one}`));
    ended += result.ended;
    refused += result.refused.length;
  }
  expect(wrong).toEqual([]);
  expect(ended).toBeGreaterThan(5 * refused);
};
