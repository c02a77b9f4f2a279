import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliData, runCli } from '../../support/cli.ts';
import { ROOT } from '../../support/root.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { flakeInputs } from '../other-tools/kit.ts';
import { imagesIn, planOf, publishedIn } from './kit.ts';

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('plan-foreign');
});

afterAll(() => temp?.remove());

const BOTH = 'x86_64-linux aarch64-linux';

test.each([
  ['docker-archive', 'archive'],
  ['docker-archive-gzip', 'archive'],
  ['docker-layered', 'archive'],
  ['stream', 'stream'],
  ['nix2container', 'nix2container'],
  ['oci-layout', 'archive'],
  ['oci-archive', 'archive'],
])('%s is planned as %s', async (name, kind) => {
  const plan = await planOf([`path:${join(ROOT, 'test/fixtures/flakes', name)}`, ...(await flakeInputs())]);
  expect(plan.images.map(({ jobs }) => jobs[0]?.kind)).toEqual([kind]);
  expect(imagesIn(plan)[0]).toMatch(new RegExp(` ${kind} ${BOTH}$`));
  expect(plan.leftOut.filter(({ broken }) => broken)).toEqual([]);
});

test('an archive that is published is not built again', async () => {
  const flake = `path:${join(ROOT, 'test/fixtures/flakes/docker-archive')}`;
  const inputs = await flakeInputs();
  const to = `oci:${temp.path}/{name}`;
  const plan = () => planOf([flake, ...inputs, '--to', to, '--systems', 'x86_64-linux', '--changed-since', 'v1']);
  const first = await plan();
  expect(publishedIn(first)).toEqual([]);
  const attr = first.images[0]?.jobs[0]?.attr;
  const out = join(temp.path, 'handover');
  await cliData(['build', `${flake}#${attr}`, ...inputs, '--out', out]);
  const file = join(temp.path, 'plan.json');
  await writeFile(file, JSON.stringify(first));
  const published = await runCli(['publish', '--plan', `@${file}`, '--from', out, '--tag', 'v1']);
  expect(published.exitCode, published.stderr).toBe(0);
  expect(publishedIn(await plan())).toEqual([`${first.images[0]?.name} x86_64-linux`]);
});
