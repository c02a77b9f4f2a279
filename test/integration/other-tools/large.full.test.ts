import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { type Published, startCli } from '../../support/cli.ts';
import { writeLargeArchive } from '../../support/docker-archive.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let registry: RegistryEmulator;
let storePath = '';

const fileText = (archive: string): string => `{
  app = derivation {
    name = "large.tar";
    system = "x86_64-linux";
    builder = "/bin/sh";
    args = [ "-c" "/bin/cp ${archive} $out" ];
  } // { imageName = "test/app"; imageTag = "1"; };
}
`;

beforeAll(async () => {
  [temp, registry] = await Promise.all([uniqueTempDir('large'), startEmulator()]);
  const archive = join(temp.path, 'image.tar');
  await writeLargeArchive(archive, [300, 150, 50]);
  await writeFile(join(temp.path, 'default.nix'), fileText(archive));
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
  // Half a gigabyte that nobody asks for again.
  if (storePath !== '')
    await runProgram('nix-store', ['--delete', storePath], { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
});

/** Publishes, and looks at how much memory that takes at most, in bytes. */
const publish = async (): Promise<{ readonly published: Published; readonly peak: number; readonly log: string }> => {
  const file = join(temp.path, 'default.nix');
  const args = [
    'publish',
    '--file',
    file,
    '--attr',
    'app',
    ...ONLY_X86,
    '--to',
    `${registry.host}/large/app:v1`,
    '--json',
  ];
  const run = startCli(args, { env: { XDG_STATE_HOME: temp.path } });
  let peak = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${run.process.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
  }, 50);
  const { exitCode, stdout, stderr: log } = await run.ended;
  clearInterval(watch);
  expect(exitCode, log).toBe(0);
  storePath = /(\/nix\/store\/\S+-large\.tar)\.drv/.exec(log)?.[1] ?? storePath;
  return { published: JSON.parse(stdout) as Published, peak, log };
};

const uploads = (): number =>
  registry.requests.filter(({ method, path }) => ['POST', 'PATCH', 'PUT'].includes(method) && path.includes('/blobs/'))
    .length;

test('an archive of 500 MB goes through in bounded memory, and its second push sends nothing', async () => {
  const first = await publish();
  expect(first.published.destinations[0]?.bytesSent).toBeGreaterThan(500e6);
  expect(first.peak).toBeGreaterThan(0);
  // Less than the archive has: what is in memory does not grow with it. Node alone takes a third of this.
  expect(first.peak).toBeLessThan(450e6);
  const before = uploads();
  expect(before).toBeGreaterThan(0);
  const second = await publish();
  expect(second.published.digest).toBe(first.published.digest);
  expect(second.published.destinations[0]?.bytesSent).toBe(0);
  expect(uploads()).toBe(before);
}, 120_000);
