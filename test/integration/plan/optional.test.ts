import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isNeeded } from '../../../src/plan/plan.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { movedTags } from '../publish/kit.ts';
import { copyFlake, planOf, publishedIn } from './kit.ts';

// Two images for two systems, built once: a dozen runs of the command line.
test('of a plan of several images, a destination that may fail decides nothing, and gets all of them later', async () => {
  const [main, mirror, flake, temp] = await Promise.all([
    startEmulator(),
    startEmulator(),
    copyFlake('mkimage'),
    uniqueTempDir('optional'),
  ]);
  onTestFinished(async () => {
    await Promise.all([main.stop(), mirror.stop(), flake.remove(), temp.remove()]);
  });
  const to = [`${mirror.host}/lab/{name} may-fail tag=type=raw,value=m-{{name}}`, `${main.host}/lab/{name}`];
  const words = to.flatMap((line) => ['--to', line]);
  for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'PUT'])
    mirror.inject({ kind: 'status', status: 507, body: 'no space', method, path: /./, times: 100_000 });

  const plan = () => planOf([flake.flake, ...words]);
  const first = await plan();
  expect(first.to).toEqual(to);
  for (const { name, jobs } of first.images) {
    for (const { attr, system } of jobs.filter(isNeeded)) {
      const out = join(temp.path, 'handovers', `${name.replace('/', '-')}-${system}`);
      const { exitCode, stderr } = await runCli(['build', `${flake.flake}#${attr}`, ...words, '--out', out]);
      expect(exitCode, stderr).toBe(0);
    }
  }
  expect(mirror.requests).toEqual([]);

  const publish = async (planned: unknown, ...more: string[]) => {
    const file = join(temp.path, `${crypto.randomUUID()}.json`);
    await writeFile(file, JSON.stringify(planned));
    const { exitCode, stderr, stdout } = await runCli(['publish', '--plan', `@${file}`, ...more, '--json']);
    expect(exitCode, stderr).toBe(0);
    const { images } = JSON.parse(stdout) as { images: { destinations: { tags: string[]; failure?: string }[] }[] };
    return {
      stderr,
      ends: images.flatMap(({ destinations }) => destinations.map(({ failure, tags }) => failure ?? tags)),
    };
  };
  const published = await publish(first, '--from', join(temp.path, 'handovers'));
  expect(published.ends).toEqual([['v1'], expect.stringMatching(/507/), ['latest'], expect.stringMatching(/507/)]);
  expect(published.stderr.match(/is not published, which is allowed/g)).toHaveLength(2);
  expect(movedTags(main).sort()).toEqual(['lab/team/web:v1', 'lab/worker:latest']);

  mirror.mend();
  const before = main.requests.length;
  const second = await plan();
  expect(publishedIn(second)).toHaveLength(4);
  expect((await publish(second)).ends).toEqual([['v1'], ['m-web'], ['latest'], ['m-worker']]);
  expect(movedTags(mirror).sort()).toEqual(['lab/team/web:m-web', 'lab/worker:m-worker']);
  expect(main.requests.slice(before).filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
});
