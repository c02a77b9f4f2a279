import { expect, it, onTestFinished } from 'vitest';
import { ecrWays } from '../../../src/commands/ecr.ts';
import { mapParallel } from '../../../src/core/parallel.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { Hosts } from '../../../src/storage/registry/fetch/hosts.ts';
import { quotas } from '../../emulators/aws/quotas.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { eventClock } from '../../support/event-clock.ts';
import { blobOf, noise, putImage, testDeps } from '../storage/kit.ts';
import { PRIVATE, PUBLIC } from './kit.ts';

const IMAGES = 5;
const LAYERS = 20;

const TAGS = ['v', 'main-', 'sha-', 'latest-'];

/** Pushes images with many layers and tags; counts what was refused. */
const push = async (kind: 'private' | 'public', isPaced: boolean) => {
  const { clock, fetch } = eventClock();
  const emulator = await startEmulator({ mount: 'upload', ...quotas(kind, clock.now) });
  onTestFinished(() => emulator.stop());
  const name = kind === 'public' ? PUBLIC : PRIVATE;
  const usual = ecrWays(() => undefined);
  const ways = isPaced ? () => ({ ...usual({ host: name, repository: 'acme/app' }), answersHead: true }) : undefined;
  const deps = testDeps({ clock, fetch, hosts: new Hosts(clock), ways });
  const begin = clock.now();
  for (let image = 0; image < IMAGES; image += 1) {
    const repository = openRegistry(parseReference(`${emulator.host}/acme/app`), 'write', deps);
    const layers = Array.from({ length: LAYERS }, (_, at) => noise(64, `${image} ${at}`));
    // As many at once as a publish sends.
    await mapParallel(layers, 4, (bytes) => repository.putBlob(blobOf(bytes), bytes));
    const { manifest } = await putImage(repository, `arch${image}`);
    await Promise.all(TAGS.map((tag) => repository.tag(`${tag}${image}`, manifest)));
  }
  const refused = emulator.requests.filter(({ status }) => status === 429).length;
  return { refused, seconds: (clock.now() - begin) / 1000 };
};

it.each(['private', 'public'] as const)('a push of many layers stays within the quotas of ECR %s', async (kind) => {
  const { refused, seconds } = await push(kind, true);
  expect(refused).toBe(0);
  // ECR Public takes ten layers a second: as fast as that, and not much slower.
  const fastest = kind === 'public' ? (IMAGES * LAYERS) / 10 : 0;
  expect(seconds).toBeLessThan(fastest * 1.2 + 3);
});

it('and would not without counting', async () => {
  expect((await push('public', false)).refused).toBeGreaterThan(0);
});
