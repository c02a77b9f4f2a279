import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { indexBytes } from '../../../src/oci/manifest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { parseIndex, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import { mergeDescriptors, referrerOf } from '../../../src/oci/referrer.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { putReferrer } from '../../../src/storage/list-referrers.ts';
import { referrersTag, taggedReferrers } from '../../../src/storage/referrers.ts';
import { artifactOf } from '../../support/artifacts.ts';
import { chancesOf } from '../../support/chances.ts';
import { SharedClock } from '../../support/shared-clock.ts';

const SUBJECT = digestOf(Buffer.from('subject'));
const SUBJECT_DESCRIPTOR = { mediaType: MEDIA_TYPE.manifest, digest: SUBJECT, size: 7 };
const TAG = referrersTag(SUBJECT);

const descriptor = fc
  .tuple(fc.integer({ min: 0, max: 20 }), fc.constantFrom('a', 'b'))
  .map(([number, artifactType]): Descriptor => {
    const bytes = Buffer.from(`manifest ${number}`);
    return { mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes), size: bytes.length, artifactType };
  });

const digests = (list: readonly Descriptor[]): string[] => list.map(({ digest }) => digest).sort();

test('merging loses nothing, doubles nothing, and its order does not count but for which descriptor stays', () => {
  const lists = fc.array(fc.array(descriptor, { maxLength: 8 }), { maxLength: 4 });
  fc.assert(
    fc.property(lists, (all) => {
      const merged = mergeDescriptors(...all);
      expect(digests(merged)).toEqual([...new Set(all.flat().map(({ digest }) => digest))].sort());
      expect(digests(mergeDescriptors(...all.toReversed()))).toEqual(digests(merged));
      expect(mergeDescriptors(merged, merged)).toEqual(merged);
      for (const one of all.at(-1) ?? []) expect(merged.find(({ digest }) => digest === one.digest)).toBeDefined();
      expect(indexBytes(merged, {}).equals(indexBytes(merged.toReversed(), {}))).toBe(true);
    }),
  );
});

test('the later descriptor of one manifest counts', () => {
  const [old] = [{ mediaType: 'x', digest: SUBJECT, size: 1 }];
  expect(mergeDescriptors([old], [{ ...old, artifactType: 'a' }])).toEqual([{ ...old, artifactType: 'a' }]);
});

test.each([
  ['its artifactType', { artifactType: 'application/x' }, 'application/x'],
  ['or else that of its config', {}, 'application/vnd.oci.empty.v1+json'],
  ['an empty one counts as none', { artifactType: '' }, 'application/vnd.oci.empty.v1+json'],
])('a referrer is of the type that its manifest says: %s', (_name, more, type) => {
  const annotations = { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' };
  const content = { schemaVersion: 2, subject: SUBJECT_DESCRIPTOR, annotations, ...more };
  const bytes = Buffer.from(
    JSON.stringify({ ...content, config: { mediaType: 'application/vnd.oci.empty.v1+json' }, layers: [] }),
  );
  const manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  const { digest, mediaType } = manifest;
  expect(referrerOf(manifest)).toEqual({
    manifest,
    subject: SUBJECT,
    descriptor: { digest, mediaType, size: bytes.length, artifactType: type, annotations },
  });
});

test.each([
  ['no subject', {}],
  ['a subject of another algorithm', { subject: { digest: 'sha512:00' } }],
  ['a subject that is none', { subject: 'sha256:00' }],
])('%s is no referrer', (_name, content) => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...content }));
  expect(referrerOf({ bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) })).toBeUndefined();
});

/** How long a request takes at most on its way there, or back; reading and writing a list takes less than the pause then. */
const LATENCY = 240;

/** A registry without a list of its own: one register under a tag, the last write counts, and reads may be old. */
class Register {
  readonly #clock: SharedClock;
  readonly #stale: number;
  readonly #written: { readonly at: number; readonly list: StoredManifest }[] = [];

  constructor(clock: SharedClock, stale: number) {
    this.#clock = clock;
    this.#stale = stale;
  }

  get list(): StoredManifest | undefined {
    return this.#written.at(-1)?.list;
  }

  write(list: StoredManifest): void {
    this.#written.push({ at: this.#clock.now(), list });
  }

  read(): StoredManifest | undefined {
    return this.#written.findLast(({ at }) => at <= this.#clock.now() - this.#stale)?.list;
  }

  /** One client's way there. */
  client(): Repository {
    const way = () => this.#clock.sleep(Math.floor(this.#clock.random() * LATENCY));
    const getManifest = async () => {
      await way();
      const list = this.read();
      await way();
      return list;
    };
    const repository: Partial<Repository> = {
      name: 'docker://registry/app',
      isShared: true,
      listsByItself: () => false,
      getManifest,
      getReferrers: async () => ({ entries: await taggedReferrers({ getManifest }, SUBJECT), isOwn: false }),
      putManifest: way,
      tag: async (_tag, list) => {
        await way();
        this.write(list);
        await way();
      },
    };
    return repository as Repository;
  }
}

/** A client as others are: reads the list, adds its own, writes it, and never looks again. */
async function carelessWriter(register: Register, clock: SharedClock, ours: Descriptor): Promise<void> {
  const client = register.client();
  const list = await client.getManifest(TAG);
  await clock.sleep(clock.random() * LATENCY);
  const bytes = indexBytes([...(list ? parseIndex(list).manifests : []), ours], {});
  await client.tag(TAG, { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) });
}

/** Of fast-check's own chances most are extreme, and jitter that is no jitter ends nothing. */
const chances = fc.integer();

test('writers in any order lose nothing of each other, however old what they read is', async () => {
  const starts = fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 2, maxLength: 4 });
  const stale = fc.constantFrom(0, 0, 700, 5000);
  await fc.assert(
    fc.asyncProperty(chances, starts, stale, async (chance, begins, milliseconds) => {
      const clock = new SharedClock(chancesOf(chance));
      const register = new Register(clock, milliseconds);
      const manifests = begins.map((_, at) => artifactOf(`${at}`, { subject: SUBJECT_DESCRIPTOR }).manifest);
      await clock.run(
        begins.map((begin, at) => async () => {
          await clock.sleep(begin);
          await putReferrer(register.client(), manifests[at] as StoredManifest, { clock });
        }),
      );
      expect(digests(register.list ? parseIndex(register.list).manifests : [])).toEqual(
        manifests.map(({ digest }) => digest as string).sort(),
      );
    }),
    { numRuns: 300 },
  );
});

test('what a writer loses that never looks again is written again', async () => {
  const foreign = artifactOf('foreign', { subject: SUBJECT_DESCRIPTOR }).manifest;
  const ours = artifactOf('ours', { subject: SUBJECT_DESCRIPTOR }).manifest;
  await fc.assert(
    fc.asyncProperty(
      chances,
      fc.integer({ min: 0, max: 6000 }),
      fc.constantFrom(0, 5000),
      async (chance, begin, stale) => {
        const clock = new SharedClock(chancesOf(chance));
        const register = new Register(clock, stale);
        await clock.run([
          () => putReferrer(register.client(), ours, { clock }),
          async () => {
            await clock.sleep(begin);
            await carelessWriter(register, clock, { ...SUBJECT_DESCRIPTOR, digest: foreign.digest });
          },
        ]);
        // Those of others may be gone before anybody has seen them; ours are not.
        expect(digests(register.list ? parseIndex(register.list).manifests : [])).toContain(ours.digest);
      },
    ),
    { numRuns: 300 },
  );
});
