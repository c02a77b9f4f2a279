import { expect, test } from 'vitest';
import { findDrift } from '../../../src/ami/drift.ts';
import { manifestOf, manifestText, readAmiManifest } from '../../../src/ami/manifest.ts';
import { refusal } from './model.ts';
import { POINTER, REGIONS, Scene, wanted } from './scene.ts';

async function deployed() {
  const scene = new Scene();
  const asked = wanted();
  const plan = await scene.plan(asked);
  const done = await scene.run(asked);
  const manifest = readAmiManifest(
    manifestText(manifestOf(plan, done, { run: 'run-1', now: scene.clock.now() })),
    'amis.json',
  );
  const [entry] = manifest.amis;
  if (entry === undefined) throw new Error('no AMI');
  const here = scene.cloud.region(entry.region);
  const image = here.images.get(entry.id);
  if (image === undefined) throw new Error('no image');
  const drift = async () =>
    (await findDrift(scene.cloud, manifest, scene.clock.now())).map(({ region, id, kind, what }) =>
      [region === entry.region && id === entry.id ? 'it' : `${region} ${id}`, kind, what].join(' | '),
    );
  return { scene, manifest, entry, here, image, drift };
}

type Deployed = Awaited<ReturnType<typeof deployed>>;

const DAY = 86_400_000;
const ACCOUNT = '999988887777';
const name = POINTER.replace('{image}', 'team/server').replace('{arch}', 'x86_64');

test('nothing differs after a deployment, in a handful of requests a region', async () => {
  const { scene, drift, manifest } = await deployed();
  expect(manifest.amis).toHaveLength(8);
  scene.cloud.calls.length = 0;
  expect(await drift()).toEqual([]);
  const asked = scene.cloud.calls.filter(({ when }) => when === 'before');
  for (const region of REGIONS.slice(1)) expect(asked.filter((call) => call.region === region)).toHaveLength(6);
});

test.each<[string, (one: Deployed) => unknown, string]>([
  [
    'an AMI that is gone',
    ({ image }) => Object.assign(image, { state: 'deregistered' }),
    'missing | there is no such AMI',
  ],
  ['one that is disabled', ({ image }) => Object.assign(image, { state: 'disabled' }), 'state | it is disabled'],
  [
    'another snapshot',
    ({ here, image }) => {
      const snapshot = here.snapshots.get(image.snapshot);
      if (snapshot) here.snapshots.set('snap-other', snapshot);
      image.snapshot = 'snap-other';
    },
    'snapshot | it is made of snap-other, not of snap-',
  ],
  [
    'a changed tag',
    ({ image }) => void image.tags.set('nix-images:version', '9'),
    'tag | nix-images:version is 9, not 1.0',
  ],
  ['a missing tag', ({ image }) => void image.tags.delete('nix-images:run'), 'tag | nix-images:run is missing'],
  [
    'fewer who may use it',
    ({ image }) => Object.assign(image, { sharing: { ...image.sharing, public: false } }),
    'permission | everybody may not use it',
  ],
  [
    'more who may use it',
    ({ image }) => Object.assign(image, { sharing: { ...image.sharing, accounts: [ACCOUNT] } }),
    `permission | ${ACCOUNT} may use it, too`,
  ],
  [
    'fewer who may use its snapshot',
    ({ here, image }) => {
      const snapshot = here.snapshots.get(image.snapshot);
      if (snapshot) snapshot.sharing = { ...snapshot.sharing, public: false };
    },
    'snapshot-permission | everybody may not use it',
  ],
  [
    'a deprecation that came early',
    ({ image }) => Object.assign(image, { deprecated: image.created + DAY }),
    'deprecation | it is deprecated at 1970-01-02, not at 1970-04-01',
  ],
  [
    'no deprecation',
    ({ image }) => Object.assign(image, { deprecated: undefined }),
    'deprecation | it is deprecated at never, not at 1970-04-01',
  ],
  [
    'no protection',
    ({ image }) => Object.assign(image, { isProtected: false }),
    'protection | it is not protected from deregistration',
  ],
  ['no parameter', ({ here }) => void here.parameters.delete(name), `parameter | ${name} does not exist`],
  [
    'a parameter that points elsewhere',
    ({ here }) => void here.parameters.set(name, [{ value: 'ami-9', version: 1, dataType: 'aws:ec2:image' }]),
    `parameter | ${name} points to ami-9`,
  ],
])('%s differs', async (_, change, expected) => {
  const one = await deployed();
  change(one);
  const found = await one.drift();
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`it | ${expected}`);
});

test('a region that cannot be asked is told of, and credentials of another account are refused', async () => {
  const { scene, drift, manifest } = await deployed();
  scene.cloud.onCall = ({ region, verb }) => {
    if (region === 'ap-south-1' && verb === 'images') throw refusal('InternalError', 'out of order');
  };
  const found = await drift();
  expect(found.map((line) => line.replace(/ami-\w+/, 'AMI'))).toEqual(
    Array(2).fill('ap-south-1 AMI | unknown | out of order'),
  );
  await expect(findDrift(scene.cloud, { ...manifest, account: ACCOUNT }, 0)).rejects.toThrow(
    `is of account ${ACCOUNT}`,
  );
});
