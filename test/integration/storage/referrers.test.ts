import { expect, test } from 'vitest';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, parseIndex, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { putReferrer } from '../../../src/storage/list-referrers.ts';
import { readReferrers, referrersTag } from '../../../src/storage/referrers.ts';
import type { EmulatorOptions } from '../../emulators/registry/emulator.ts';
import { artifactOf, putArtifact } from '../../support/artifacts.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { SharedClock } from '../../support/shared-clock.ts';
import { start } from './client.ts';
import { putImage, putIndex } from './kit.ts';

const SBOM = 'application/spdx+json';
const CREATED = { 'org.opencontainers.image.created': '2026-01-02T03:04:05Z' };

/** Puts an artifact's blobs, then the artifact as a referrer. */
const attach = async (
  to: Repository,
  subject: StoredManifest,
  text: string,
  tools: Parameters<typeof putReferrer>[2],
  artifactType: string = SBOM,
): Promise<StoredManifest> => {
  const options = { subject: descriptorOf(subject), artifactType, annotations: CREATED };
  // Without its subject, so that nothing but putReferrer lists it.
  await putArtifact(to, text);
  const { manifest } = artifactOf(text, options);
  await putReferrer(to, manifest, tools);
  return manifest;
};

const facts = (list: readonly { readonly descriptor: Descriptor }[]) =>
  list.map(({ descriptor: { digest, artifactType, annotations } }) => ({ digest, artifactType, annotations }));

const sorted = <T extends { readonly digest: string }>(list: readonly T[]): T[] =>
  list.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));

const listAt = async (repository: Repository, subject: StoredManifest): Promise<readonly Descriptor[] | undefined> => {
  const list = await repository.getManifest(referrersTag(subject.digest));
  return list && parseIndex(list).manifests;
};

const modes: readonly (readonly [string, EmulatorOptions, 'own' | 'tag'])[] = [
  ['lists referrers by itself, one a page', { referrersPerPage: 1 }, 'own'],
  ['does not say that it does', { referrersPerPage: 2, referrers: { noSubjectHeader: true } }, 'own'],
  ['does not choose by type', { referrersPerPage: 9, referrers: { noFilter: true } }, 'own'],
  ['lists nothing', { referrersPerPage: 9, referrers: { noSubjectHeader: true, alwaysEmpty: true } }, 'tag'],
  ['does not know the request', {}, 'tag'],
  ['refuses the request', { referrers: { unauthorized: true } }, 'tag'],
];

test.each(
  modes,
)('what refers to an image is found, by its type too, where a registry %s', async (_name, options, by) => {
  const { emulator, deps, open } = await start(options);
  const repository = open();
  const { manifest: image } = await putImage(repository, 'amd64');
  const attached = [
    await attach(repository, image, 'one', deps),
    await attach(repository, image, 'two', deps),
    await attach(repository, image, 'three', deps, 'application/x.signature'),
  ];
  // Who is told by OCI-Subject need not ask.
  const asked = emulator.trace().filter((line) => line.includes('/referrers/'));
  expect(asked.length === 0).toBe(options.referrersPerPage !== undefined && !options.referrers?.noSubjectHeader);
  const reader = open('org/app', 'read');
  const all = await readReferrers(reader, image.digest, { log: deps.log });
  expect(facts(all)).toEqual(
    sorted(attached).map(({ digest }) => ({
      digest,
      artifactType: digest === attached[2]?.digest ? 'application/x.signature' : SBOM,
      annotations: CREATED,
    })),
  );
  const sboms = await readReferrers(reader, image.digest, { artifactType: SBOM, log: deps.log });
  expect(sboms.map(({ manifest }) => manifest.digest)).toEqual(
    sorted(attached.slice(0, 2)).map(({ digest }) => digest),
  );
  const lists = emulator.trace().filter((line) => line.startsWith('PUT') && line.includes('manifests/sha256-'));
  expect(lists).toHaveLength(by === 'own' ? 0 : 3);
  if (by === 'tag') expect(await listAt(reader, image)).toEqual(facts(all).map((one) => expect.objectContaining(one)));
});

test('a list that other clients wrote is a hint: types, annotations and subjects are read from the manifests', async () => {
  const { deps, open } = await start();
  const repository = open();
  const index = await putIndex(repository, 'v1');
  const { manifest: image } = await putImage(repository, 'amd64');
  const ours = await putArtifact(repository, 'one', {
    subject: descriptorOf(index),
    artifactType: SBOM,
    annotations: CREATED,
  });
  const other = await putArtifact(repository, 'of the image', { subject: descriptorOf(image) });
  const gone = artifactOf('gone', { subject: descriptorOf(index) }).manifest;
  const entries = [
    { ...descriptorOf(ours), artifactType: 'application/vnd.oci.empty.v1+json' },
    descriptorOf(other),
    descriptorOf(image),
    descriptorOf(gone),
  ];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries }));
  const emulated = await start({ takesAnyManifest: true });
  const reader = emulated.open();
  for (const manifest of [ours, other, image, index]) await reader.putManifest(manifest);
  emulated.emulator.store.putManifest('org/app', referrersTag(index.digest), bytes, MEDIA_TYPE.index);
  const log = memoryLog();
  expect(facts(await readReferrers(reader, index.digest, { log }))).toEqual([
    { digest: ours.digest, artifactType: SBOM, annotations: CREATED },
  ]);
  expect(log.lines.join('\n')).toContain(`lists ${gone.digest} for ${index.digest}, and does not have it`);
  // Whoever writes the list mends what it knows better, and leaves all else.
  await putReferrer(reader, ours, deps);
  const second = artifactOf('two', { subject: descriptorOf(index), artifactType: SBOM }).manifest;
  await putReferrer(reader, second, deps);
  const list = await listAt(reader, index);
  expect(sorted(list ?? []).map(({ digest }) => digest)).toEqual(
    sorted([ours, other, image, gone, second]).map(({ digest }) => digest),
  );
});

test('a registry that reads the tag as a digest has no children for referrers, and no list is believed to be kept', async () => {
  const { emulator, deps, open } = await start({ takesTagsForDigests: true });
  const repository = open();
  const index = await putIndex(repository, 'v1');
  expect(await readReferrers(repository, index.digest, { log: deps.log })).toEqual([]);
  await expect(attach(repository, index, 'one', deps)).rejects.toThrow(
    /docker:\/\/.*\/org\/app cannot list what refers to sha256:.*the list under the tag sha256-[0-9a-f]{64} does not keep what is added/,
  );
  // Two lists were tried, and waited for.
  expect(emulator.trace().filter((line) => /^PUT .*manifests\/sha256-/.test(line))).toHaveLength(2);
  expect(deps.waits.length).toBeLessThan(20);
});

test('a tag that is an image and no list stays as it is', async () => {
  const { emulator, deps, open } = await start();
  const repository = open();
  const { manifest: image } = await putImage(repository, 'amd64');
  const { manifest: other } = await putImage(repository, 'arm64');
  await repository.tag(referrersTag(image.digest), other);
  expect(await readReferrers(repository, image.digest, { log: deps.log })).toEqual([]);
  await expect(attach(repository, image, 'one', deps)).rejects.toThrow(
    /the tag sha256-[0-9a-f]{64} is not a list of referrers but application\/vnd\.oci\.image\.manifest/,
  );
  expect(emulator.store.manifest('org/app', referrersTag(image.digest))?.bytes.equals(other.bytes)).toBe(true);
});

test.each([0, 5000])('three writers at once lose nothing where a tag is read %i ms late', async (milliseconds) => {
  for (let round = 1; round <= 5; round += 1) {
    let chance = round;
    const clock: SharedClock = new SharedClock(() => {
      chance = (chance * 16807) % 2147483647;
      return chance / 2147483647;
    });
    const { deps, open } = await start({ staleReads: { milliseconds, now: () => clock.now() } }, { clock });
    const repository = open();
    const { manifest: image } = await putImage(repository, 'amd64');
    const attached: StoredManifest[] = [];
    await clock.run(
      [0, 0, 300].map((begin, at) => async () => {
        await clock.sleep(begin);
        attached.push(await attach(open(), image, `${round} ${at}`, deps));
      }),
    );
    await clock.run([() => clock.sleep(milliseconds)]);
    const list = await listAt(repository, image);
    expect(sorted(list ?? []).map(({ digest }) => digest)).toEqual(sorted(attached).map(({ digest }) => digest));
  }
});
