import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { SYSTEMS, type System } from '../../../src/oci/system.ts';
import type { PlannedImage } from '../../../src/plan/plan.ts';
import { lostSystems, problemsError } from '../../../src/plan/problems.ts';
import { joinMarks, markPublished } from '../../../src/plan/published.ts';
import type { OpenedImage } from '../../../src/storage/source.ts';
import { memoryLog } from '../../support/memory-log.ts';

const [X86, ARM] = SYSTEMS;
const ARCHITECTURE: Record<System, string> = { 'x86_64-linux': 'amd64', 'aarch64-linux': 'arm64' };
const KEY = 'a'.repeat(64);

/** A place whose tags are indexes of some systems each; the x86-64 image of all of them has the key. */
const places = (tags: Readonly<Record<string, readonly System[]>>, moved: readonly string[]) => ({
  references: [...new Set([...moved, 'latest'])],
  moved,
  mayBeNew: async () => false,
  open: async (reference: string) =>
    ({
      reference,
      source: {
        name: 'test',
        close: async () => undefined,
        getManifest: async () => {
          const systems = tags[reference];
          if (!systems) return undefined;
          const manifests = systems.map((system) => ({
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            digest: digestOf(Buffer.from(system)),
            size: 1,
            platform: { os: 'linux', architecture: ARCHITECTURE[system] },
            annotations: { 'io.nix-images.image.key': system === X86 ? KEY : 'b'.repeat(64) },
          }));
          const mediaType = 'application/vnd.oci.image.index.v1+json';
          const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
          return { mediaType, bytes, digest: digestOf(bytes) };
        },
      },
    }) as unknown as OpenedImage,
});

const image = (missing: PlannedImage['missing'] = []): PlannedImage => ({
  name: 'app',
  tag: null,
  why: '',
  source: { flake: '.', file: null },
  jobs: [{ system: X86, buildSystem: null, kind: 'archive', attr: 'app', key: KEY, published: null }],
  missing,
});

const BROKEN = { system: ARM, why: 'packages.aarch64-linux.app: boo' };

test.each([
  ['nothing is published', {}, ['v1'], [BROKEN], []],
  ['both are live, one does not evaluate', { v1: [X86, ARM] }, ['v1'], [BROKEN], [BROKEN]],
  ['both are live under another tag', { latest: [X86, ARM] }, ['branch'], [BROKEN], [BROKEN]],
  ['it never was published', { v1: [X86] }, ['v1'], [BROKEN], []],
  [
    'one is gone without an error',
    { v1: [X86, ARM] },
    ['v1'],
    [],
    [{ system: ARM, why: expect.stringContaining('no attribute') }],
  ],
  ['one is gone, and the tag is a new one', { latest: [X86, ARM] }, ['branch'], [], []],
] as const)('%s', async (_name, tags, moved, missing, expected) => {
  const options = { systems: SYSTEMS, reuse: true };
  const [marked] = await markPublished([image([...missing])], () => places(tags, moved), options, memoryLog());
  expect(marked?.missing).toEqual(expected);
  expect(marked?.jobs[0]?.published).toBe(Object.keys(tags).length > 0 ? digestOf(Buffer.from(X86)) : null);
});

test('systems that are not asked for are not missed, and what is to be built again is only looked at', async () => {
  const place = () => places({ v1: [X86, ARM] }, ['v1']);
  const [some] = await markPublished([image([BROKEN])], place, { systems: [X86], reuse: true }, memoryLog());
  expect(some?.missing).toEqual([]);
  const [again] = await markPublished([image([BROKEN])], place, { systems: SYSTEMS, reuse: false }, memoryLog());
  expect(again).toMatchObject({ missing: [BROKEN], jobs: [{ published: null }] });
});

test('where nothing can be read, what does not evaluate may be live', async () => {
  const open = () => Promise.reject(new Error('no network'));
  const warned: string[] = [];
  const log = { ...memoryLog(), warn: (text: string) => void warned.push(text) };
  const place = () => ({ references: ['v1'], moved: ['v1'], open, mayBeNew: async () => false });
  const [marked] = await markPublished([image([BROKEN])], place, { systems: SYSTEMS, reuse: true }, log);
  expect(marked?.missing).toEqual([BROKEN]);
  expect(marked?.jobs[0]?.reason).toBeUndefined();
  expect(warned).toEqual([expect.stringMatching(/cannot be read, so it is built: no network/)]);
});

test('whatever was opened is closed, also where it cannot be read', async () => {
  let open = 0;
  const counted = (getManifest: () => Promise<undefined>) => async (reference: string) => {
    open += 1;
    const close = async (): Promise<void> => {
      open -= 1;
    };
    return { reference, source: { name: 'test', close, getManifest } } as unknown as OpenedImage;
  };
  for (const getManifest of [async () => undefined, () => Promise.reject(new Error('damaged'))]) {
    const place = () => ({ ...places({}, ['v1']), open: counted(getManifest) });
    await markPublished([image()], place, { systems: SYSTEMS, reuse: true }, memoryLog());
    expect(open).toBe(0);
  }
});

test('a repository that is not there yet is no reason to warn', async () => {
  const warned: string[] = [];
  const log = { ...memoryLog(), warn: (text: string) => void warned.push(text) };
  const open = () => Promise.reject(new Error('403'));
  const place = () => ({ references: ['v1'], moved: ['v1'], open, mayBeNew: async () => true });
  const [marked] = await markPublished([image()], place, { systems: SYSTEMS, reuse: true }, log);
  expect(marked?.jobs[0]).toMatchObject({ published: null, reason: 'new' });
  expect(warned).toEqual([]);
});

test.each([
  ['nothing is there', {}, true, 'new'],
  ['another image is', { v1: [X86] }, true, 'changed'],
  ['only another system is', { v1: [ARM] }, true, 'new'],
  ['it is, and is to be built again', { v1: [X86] }, false, 'forced'],
] as const)('a job says why it is needed where %s', async (_what, tags, reuse, reason) => {
  const [job] = image().jobs;
  const changed = { ...image(), jobs: job ? [{ ...job, key: 'c'.repeat(64) }] : [] };
  const [marked] = await markPublished([changed], () => places(tags, ['v1']), { systems: SYSTEMS, reuse }, memoryLog());
  expect(marked?.jobs[0]).toMatchObject({ published: null, reason });
});

test('the errors of a plan are told together', () => {
  const lost = image([BROKEN]);
  expect(lostSystems(lost)?.message).toBe('app would lose aarch64-linux (packages.aarch64-linux.app: boo)');
  const problem = { name: 'web', why: 'two images have the repository name web', hint: 'Rename one.' };
  expect(problemsError([], [image()])).toBeUndefined();
  expect(problemsError([problem])).toMatchObject({ message: problem.why, hint: problem.hint });
  const both = problemsError([problem], [lost]);
  expect(both?.message).toMatch(/^2 images:\n {2}two images .*\n {2}app would lose/);
  expect(both?.hint).toMatch(/Rename one\.\n.*allow-missing/);
});

test('of several destinations, all must have the same manifest, and what any would lose is lost', () => {
  const [a, b] = [digestOf(Buffer.from('a')), digestOf(Buffer.from('b'))];
  const mark = (published: typeof a | null, missing: PlannedImage['missing'] = []): PlannedImage => {
    const { jobs, ...rest } = image(missing);
    return { ...rest, jobs: jobs.map((job) => ({ ...job, published })) };
  };
  expect(joinMarks([mark(a), mark(a)]).jobs[0]?.published).toBe(a);
  expect(joinMarks([mark(a), mark(null)]).jobs[0]?.published).toBeNull();
  expect(joinMarks([mark(a), mark(b)]).jobs[0]?.published).toBeNull();
  expect(joinMarks([mark(a), mark(a, [BROKEN])]).missing).toEqual([BROKEN]);
});
