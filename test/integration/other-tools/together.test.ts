import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { imagesIn, planOf, publishedIn } from '../plan/kit.ts';
import { flakeInputs } from './kit.ts';

// Five images are built, published and run, beside other tests.
vi.setConfig({ testTimeout: 180_000 });

let lab: Lab;

beforeAll(async () => {
  lab = await openLab('together');
});

afterAll(() => lab?.close());

const CONTAINERS = ['layout', 'own', 'test/archive', 'test/listed', 'test/streamed'];

test('a flake of images of every maker is planned, published as a whole, and every container runs', async () => {
  const library = ['--override-input', 'library', `path:${ROOT}/nix`].map((argument) => `--nix-arg=${argument}`);
  const inputs = [...(await flakeInputs()), ...library];
  const flake = `path:${join(ROOT, 'test/fixtures/flakes/together')}`;
  const plan = () => planOf([flake, ...inputs, '--systems', ONLY_X86[1] ?? '', '--to', `${lab.registry.host}/{name}`]);
  const first = await plan();
  expect(imagesIn(first)).toEqual([
    'layout archive x86_64-linux',
    'own definition x86_64-linux',
    'test/archive archive x86_64-linux',
    'test/listed nix2container x86_64-linux',
    'test/streamed stream x86_64-linux',
    'vm disk x86_64-linux',
  ]);
  expect(first.leftOut.map(({ attr, why }) => `${attr}: ${why}`)).toEqual([
    'nixImages.x86_64-linux.unfree: the licence is not accepted',
  ]);

  const file = join(lab.temp.path, 'plan.json');
  await writeFile(file, JSON.stringify(first));
  const words = ['publish', '--plan', `@${file}`, '--build-missing', '--tag', 'latest', ...inputs, '--json'];
  const { exitCode, stdout, stderr } = await runCli(words, { env: { XDG_STATE_HOME: lab.temp.path } });
  // The image that does not evaluate fails the publish at its end; the others are published.
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toMatch(
    /1 of 7 images are not published:\s+nixImages\.x86_64-linux\.unfree: the licence is not accepted/,
  );
  expect(JSON.parse(stdout).images.map(({ name }: { name: string }) => name)).toEqual([...CONTAINERS, 'vm']);

  for (const name of CONTAINERS) {
    const image = `docker://${lab.registry.host}/${name}:latest`;
    const run = await lab.podman.run(['run', '--rm', '--tls-verify=false', image]);
    expect({ name, ...run }).toMatchObject({ name, exitCode: 0, stdout: 'x86_64\n' });
  }
  expect(publishedIn(await plan())).toEqual([...CONTAINERS, 'vm'].map((name) => `${name} x86_64-linux`));
});
