import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { descriptorOf, parseIndex } from '../../../src/oci/read-manifest.ts';
import { referrerOf } from '../../../src/oci/referrer.ts';
import { referrersTag } from '../../../src/storage/referrers.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { putArtifact } from '../../support/artifacts.ts';
import { runCli } from '../../support/cli.ts';
import { startRegistry } from '../../support/registry.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { open, read } from '../storage/bench.ts';
import { type Attested, putAttested } from './kit.ts';

let temp: TempDir;
let from: RegistryEmulator;
let signed: Attested;

beforeAll(async () => {
  temp = await uniqueTempDir('copy-referrers');
});
afterAll(() => temp.remove());

const start = async (options: EmulatorOptions = {}): Promise<RegistryEmulator> => {
  const emulator = await startEmulator(options);
  onTestFinished(() => emulator.stop());
  return emulator;
};

beforeEach(async () => {
  from = await startEmulator({ referrersPerPage: 1 });
  signed = await putAttested(open(`${from.host}/org/app`), 'v1');
  return () => from.stop();
});

const copy = async (...args: string[]) => runCli(['copy', ...args], { cwd: temp.path });

const copied = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await copy(...args);
  expect(exitCode, stderr).toBe(0);
  return `${stdout}${stderr}`;
};

/** Looks at a place through the interface that all places have: everything there, byte for byte, and listed. */
const expectAll = async (place: string): Promise<void> => {
  const { source, reference } = await read(place);
  try {
    const { index, amd64, arm64, attestation, sbom, ofSbom, signature, tags } = signed;
    expect((await source.getManifest(reference))?.bytes).toEqual(index.bytes);
    for (const manifest of [index, amd64, arm64, attestation, sbom, ofSbom, signature])
      expect((await source.getManifest(manifest.digest))?.bytes, manifest.digest).toEqual(manifest.bytes);
    for (const [tag, manifest] of Object.entries(tags))
      expect((await source.getManifest(tag))?.bytes, tag).toEqual(manifest.bytes);
    const listed = async (subject: { readonly digest: typeof index.digest }) =>
      (await source.getReferrers(subject.digest)).entries.map(({ digest }) => digest);
    expect(await listed(index)).toEqual([signature.digest]);
    expect(await listed(amd64)).toEqual([attestation.digest]);
    expect(await listed(arm64)).toEqual([sbom.digest]);
    expect(await listed(sbom)).toEqual([ofSbom.digest]);
  } finally {
    await source.close();
  }
};

// Each registry without a list of its own takes a second or two: the list is looked at again.
it('an index of two platforms with all that is attached goes between registries with and without the referrers API, and back', async () => {
  const [without, last] = [await start(), await start({ referrersPerPage: 2 })];
  // The attestation counts with the index; SBOM, two signatures and two tags of cosign's beside it.
  expect(await copied(`${from.host}/org/app:v1`, '--to', `${without.host}/mirror/app`)).toContain(
    `${signed.index.digest}, with 5 that refer to it`,
  );
  expect(without.trace().at(-1)).toBe('PUT /v2/mirror/app/manifests/v1');
  await expectAll(`${without.host}/mirror/app:v1`);
  for (const one of [signed.signature, signed.attestation, signed.sbom, signed.ofSbom]) {
    const referrer = referrerOf(one);
    const list = without.store.manifest('mirror/app', referrersTag(referrer?.subject ?? signed.index.digest));
    expect(parseIndex({ bytes: list?.bytes ?? Buffer.alloc(0), mediaType: '', digest: one.digest }).manifests).toEqual([
      referrer?.descriptor,
    ]);
  }
  await copied(`${without.host}/mirror/app:v1`, '--to', `${last.host}/app`);
  await expectAll(`${last.host}/app:v1`);
  expect(last.trace().filter((line) => /^PUT .*manifests\/sha256-[0-9a-f]+$/.test(line))).toEqual([]);
});

it.each(['oci', 'oci-archive'])('and through %s:', async (kind) => {
  const place = `${kind}:${join(temp.path, kind)}:v1`;
  await copied(`${from.host}/org/app:v1`, '--to', place);
  await expectAll(place);
  // What is attached is not an image, so the only one needs no name.
  await expectAll(place.replace(/:v1$/, ''));
  const last = await start({ referrersPerPage: 2, referrers: { noSubjectHeader: true } });
  await copied(place, '--to', `${last.host}/app:v1`);
  await expectAll(`${last.host}/app:v1`);
});

// A real registry without the API: its list is looked at again after a second or two.
it('and through a docker-registry', async () => {
  const registry = await startRegistry();
  onTestFinished(() => registry.stop());
  await copied(`${from.host}/org/app:v1`, '--to', `${registry.host}/app`);
  await expectAll(`${registry.host}/app:v1`);
  const again = await copied(`${from.host}/org/app:v1`, '--to', `${registry.host}/app`);
  expect(again).toContain('0 B sent');
});

it('what is attached to one platform goes along with that alone', async () => {
  const to = await start({ referrersPerPage: 9 });
  await copied(`${from.host}/org/app:v1`, '--to', `${to.host}/app`, '--system', 'x86_64-linux');
  expect(to.store.manifest('app', signed.attestation.digest)).toBeDefined();
  expect(to.store.manifest('app', Object.keys(signed.tags)[1] ?? '')?.bytes).toEqual(signed.att.bytes);
  expect(to.store.manifest('app', signed.sbom.digest)).toBeUndefined();
  expect(to.store.manifest('app', signed.signature.digest)).toBeUndefined();
});

it('cosign’s signatures that are at the destination alone stay, with a warning; others are renewed', async () => {
  const to = await start({ referrersPerPage: 9 });
  const repository = open(`${to.host}/app`);
  const own = await putArtifact(repository, 'a signature of the mirror');
  const [sig = '', att = ''] = Object.keys(signed.tags);
  await repository.tag(sig, own);
  expect(await copied(`${from.host}/org/app:v1`, '--to', `${to.host}/app`)).toContain(
    `${sig} is not moved: it has 1 that the source does not have`,
  );
  expect(to.store.manifest('app', sig)?.bytes).toEqual(own.bytes);
  expect(to.store.manifest('app', att)?.bytes).toEqual(signed.att.bytes);
});

it.each<[string, EmulatorOptions, (to: RegistryEmulator) => Promise<unknown>, RegExp]>([
  [
    'a registry that refuses a manifest with a subject',
    { refusesSubjects: { status: 400, code: 'MANIFEST_INVALID', message: 'unknown field subject' } },
    async () => undefined,
    /cannot copy sha256:\w+ \(application\/spdx\+json\), which refers to sha256:[\s\S]*unknown field subject[\s\S]*--no-referrers/,
  ],
  [
    'a tag of a list that is an image',
    {},
    async (to) => {
      const repository = open(`${to.host}/app`);
      await repository.tag(referrersTag(signed.arm64.digest), await putArtifact(repository, 'an image'));
    },
    /cannot list what refers to sha256:[\s\S]*is not a list of referrers but/,
  ],
])('%s is an error before a tag has moved', async (_name, options, prepare, says) => {
  const to = await start(options);
  await prepare(to);
  // The other platform's attestation is in the index, and a part of it.
  const { exitCode, stderr } = await copy(
    `${from.host}/org/app:v1`,
    '--to',
    `${to.host}/app`,
    '--system',
    'aarch64-linux',
  );
  expect(exitCode).not.toBe(0);
  expect(stderr).toMatch(says);
  expect(to.store.manifest('app', 'v1')).toBeUndefined();
});

it('a chain without an end is an error', async () => {
  const repository = open(`${from.host}/org/app`);
  let subject = descriptorOf(signed.index);
  for (let level = 0; level < 10; level += 1)
    subject = descriptorOf(await putArtifact(repository, `level ${level}`, { subject }));
  const to = await start({ referrersPerPage: 9 });
  const { exitCode, stderr } = await copy(`${from.host}/org/app:v1`, '--to', `${to.host}/app`);
  expect(exitCode).not.toBe(0);
  expect(stderr).toMatch(/8 levels above the image[\s\S]*--no-referrers/);
  expect(to.store.manifest('app', 'v1')).toBeUndefined();
});
