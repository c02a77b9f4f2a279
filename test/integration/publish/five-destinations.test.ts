import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { parseCounters } from '../../../bench/measure/process-counters.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { startAwsEmulator } from '../../emulators/aws/emulator.ts';
import type { RegistryEmulator } from '../../emulators/registry/emulator.ts';
import { certificateFile } from '../../fixtures/certificates/index.ts';
import { cliData, type Published, startCli, testImage } from '../../support/cli.ts';
import { startProxy } from '../../support/proxy.ts';
import { startRegistry } from '../../support/registry.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { hostOf, type Place, startAwsRegistry } from '../aws/kit.ts';
import { committedBlobs } from './kit.ts';

const AWS_PLACES = ['public', 'eu-central-1', 'us-east-1'] as const satisfies readonly Place[];

/** The program of the test image that is larger than all else that a run reads: `bulk` in test/fixtures/images. */
const BULK = 17_000_000;

const repositoryAt = (place: Place): string => (place === 'public' ? 'acme/app' : 'team/app');

/** docker-registry with TLS by a private authority, and an account of AWS, all behind a proxy that knows their names. */
async function startPlaces() {
  const tls = { certificate: certificateFile('server.crt'), key: certificateFile('server.key') };
  const own = await startRegistry({ tls, countRequests: true });
  onTestFinished(() => own.stop());
  const aws = await startAwsEmulator();
  onTestFinished(() => aws.stop());
  const registries = new Map<string, RegistryEmulator>();
  for (const place of AWS_PLACES) registries.set(hostOf(place), await startAwsRegistry(place, aws, { scheme: 'http' }));
  const portOf = (host: string): number => Number(host.split(':')[1]);
  const proxy = await startProxy({
    portOf: (port, host = '') =>
      host === 'registry.test' ? portOf(own.host) : portOf(registries.get(host)?.host ?? `:${port}`),
  });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const env = {
    ...aws.keys,
    AWS_ENDPOINT_URL: aws.url,
    HTTP_PROXY: `http://${proxy.host}`,
    HTTPS_PROXY: `http://${proxy.host}`,
    NO_PROXY: '127.0.0.1',
    SSL_CERT_FILE: certificateFile('ca.crt'),
  };
  return { own, aws, registries, env };
}

/** Runs the command line as a process, and gives what it printed and how many bytes it read, from files and sockets. */
async function publishCounted(words: readonly string[], env: Readonly<Record<string, string>>) {
  const run = startCli([...words, '--json'], { env });
  const file = (name: string): Promise<string> => readFile(`/proc/${run.process.pid}/${name}`, 'utf8');
  let bytesRead = 0;
  let isOver = false;
  const ended = run.ended.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    // A process that has ended has none.
    const counters = await Promise.all([file('stat'), file('io')]).catch(() => undefined);
    if (counters) bytesRead = Math.max(bytesRead, parseCounters(...counters).bytesRead);
    await sleep(10);
  }
  const { exitCode, stdout, stderr } = await ended;
  expect(exitCode, stderr).toBe(0);
  return { published: JSON.parse(stdout) as Published, bytesRead };
}

// Three publishes of 17 MB as processes of their own, whose reads the kernel counts.
test('one image goes to five places of four kinds, is read once, and is the same everywhere; then nothing is sent', async () => {
  const { own, aws, registries, env } = await startPlaces();
  const folder = await uniqueTempDir('five');
  onTestFinished(() => folder.remove());
  const atAws = AWS_PLACES.map((place) => `${hostOf(place)}/${repositoryAt(place)}`);
  const to = [
    `oci:${join(folder.path, 'layout')} tag=first tag=v1`,
    'registry.test/org/app tag=v1',
    `${atAws[0]} tag=latest may-fail`,
    `${atAws[1]} tag=type=raw,value=v1-{{name}}`,
    `${atAws[2]} tag=v1`,
  ];
  const image = [...(await testImage('bulky')), ...ONLY_X86];
  const wordsFor = (lines: readonly string[]): string[] => [
    'publish',
    ...image,
    ...lines.flatMap((line) => ['--to', line]),
    ...AWS_PLACES.flatMap((place) => ['--plain-http', hostOf(place)]),
    '--create-repository',
  ];
  const state = (name: string) => ({ ...env, XDG_STATE_HOME: join(folder.path, name) });

  const alone = await publishCounted(wordsFor([`oci:${join(folder.path, 'alone')}`]), state('alone'));
  const { published, bytesRead } = await publishCounted(wordsFor(to), state('state'));
  expect(alone.bytesRead).toBeGreaterThan(BULK);
  // AWS's clients are half of that; with a second pass it would be twice as much at least.
  expect(bytesRead - alone.bytesRead).toBeLessThan(BULK);

  const { digest } = published;
  expect(digest).toBe(alone.published.digest);
  expect(published.destinations.map(({ name, tags }) => [name, tags])).toEqual([
    [`oci:${join(folder.path, 'layout')}`, ['first', 'v1']],
    ['docker://registry.test/org/app', ['v1']],
    [`docker://${atAws[1]}`, ['v1-bulky']],
    [`docker://${atAws[2]}`, ['v1']],
    [`docker://${atAws[0]}`, ['latest']],
  ]);
  for (const { name, tags } of published.destinations) {
    const host = name.replace('docker://', '').replace(/\/.*/, '');
    const registry = registries.get(host);
    const reference = `${name}:${tags[0]}`;
    if (registry) {
      const repository = repositoryAt(AWS_PLACES.find((place) => hostOf(place) === host) ?? 'public');
      const stored = registry.store.manifest(repository, tags[0] ?? '');
      expect(stored && digestOf(stored.bytes)).toBe(digest);
      const blobs = committedBlobs(registry);
      expect(blobs.length).toBeGreaterThan(1);
      expect(new Set(blobs).size).toBe(blobs.length);
    } else {
      expect(await cliData(['inspect', reference], { env: state('state') })).toMatchObject({ digest });
    }
  }

  const before = new Map([...registries].map(([host, { requests }]) => [host, requests.length]));
  const sent = (line: string): boolean => /"(?:POST|PATCH|PUT) /.test(line);
  const ownBefore = own.requests().filter(sent).length;
  const again = await publishCounted(wordsFor(to), state('state'));
  expect(again.published.digest).toBe(digest);
  expect(again.published.destinations.map(({ bytesSent }) => bytesSent)).toEqual([0, 0, 0, 0, 0]);
  for (const [host, { requests }] of registries)
    expect(requests.slice(before.get(host)).filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  expect(own.requests().filter(sent)).toHaveLength(ownBefore);
  expect(aws.violations).toEqual([]);
});
