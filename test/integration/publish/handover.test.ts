import { cp, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readChunkedLayer } from '../../support/chunked-reader.ts';
import { cliData, type Published, runCli, testImage } from '../../support/cli.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let registry: RunningRegistry;
let temp: TempDir;
let image: string[];

const SYSTEMS = ['x86_64-linux', 'aarch64-linux'];

beforeAll(async () => {
  registry = await startRegistry();
  temp = await uniqueTempDir('handover');
  image = await testImage('smallChunked');
  // What two build jobs leave: layers in the handover, and layers in the registry.
  for (const system of SYSTEMS) {
    const build = ['build', ...image, '--system', system];
    await cliData([...build, '--out', join(temp.path, 'artifact', system)]);
    await cliData([...build, '--out', join(temp.path, 'registry', system), '--to', `${registry.host}/lab/app`]);
  }
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

/** A copy of the handovers for a test to spoil. */
const copyOf = async (mode: 'artifact' | 'registry'): Promise<string> => {
  const folder = join(temp.path, `copy-${crypto.randomUUID()}`);
  await cp(join(temp.path, mode), folder, { recursive: true });
  return folder;
};

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Reads every layer of an index in a layout by what its descriptor says of it; how many there are. */
async function chunkedLayers(layout: string, index: string): Promise<number> {
  const blob = (digest: string): Promise<Buffer> => readFile(join(layout, 'blobs', digest.replace(':', '/')));
  const read = async (digest: string) => JSON.parse((await blob(digest)).toString());
  let count = 0;
  for (const { digest } of (await read(index)).manifests)
    for (const layer of (await read(digest)).layers) {
      readChunkedLayer(await blob(layer.digest), layer.annotations);
      count += 1;
    }
  return count;
}

describe('publish from handovers', () => {
  test('gives the index that building in place gives, without Nix', async () => {
    const direct = await cliData<Published>(['publish', ...image, '--to', `oci:${temp.path}/direct:v1`]);
    const env = { PATH: join(process.execPath, '..') };
    for (const mode of ['artifact', 'registry'] as const) {
      const to = `${registry.host}/lab/app:${mode}`;
      const published = await cliData<Published>(['publish', '--from', join(temp.path, mode), '--to', to], { env });
      expect(published.digest).toBe(direct.digest);
      const raw = await runProgram('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${to}`]);
      expect(JSON.parse(raw.stdout).manifests).toHaveLength(2);
    }
    // What says where files lie in a layer is in the manifests, which are those of the index.
    expect(await chunkedLayers(join(temp.path, 'direct'), direct.digest)).toBeGreaterThan(3);
  });

  test('a handover with its layers in the registry is a few kilobytes', async () => {
    for (const system of SYSTEMS) {
      const files = await filesIn(join(temp.path, 'registry', system));
      const bytes = (await Promise.all(files.map(async (file) => (await readFile(file)).length))).reduce(
        (a, b) => a + b,
        0,
      );
      expect(bytes).toBeLessThan(10_000);
    }
  });

  test('builds what was not handed over', async () => {
    const published = await cliData<Published>([
      'publish',
      ...image,
      '--from',
      join(temp.path, 'artifact', 'x86_64-linux'),
      '--to',
      `oci:${temp.path}/half:v1`,
    ]);
    expect(published.platforms.map(({ system }) => system)).toEqual(SYSTEMS);
  });

  test('goes to a registry that never had the layers', async () => {
    const other = await startRegistry();
    try {
      const { destinations, digest } = await cliData<Published>([
        'publish',
        '--from',
        join(temp.path, 'registry'),
        '--to',
        `${other.host}/copy/app:v1`,
        '--reuse-from',
        `${registry.host}/lab/app`,
      ]);
      expect(destinations[0]?.bytesSent).toBeGreaterThan(1_000_000);
      const copied = join(temp.path, 'copied');
      await cliData(['copy', `${other.host}/copy/app:v1`, '--to', `oci:${copied}:v1`]);
      expect(await chunkedLayers(copied, digest)).toBeGreaterThan(3);
    } finally {
      await other.stop();
    }
  });
});

interface Refusal {
  readonly name: string;
  readonly spoil: (folder: string) => Promise<unknown>;
  readonly message: RegExp;
  readonly mode?: 'registry';
}

const blobs = (folder: string): string => join(folder, 'x86_64-linux/blobs/sha256');

const largestBlob = async (folder: string): Promise<string> => {
  const files = await filesIn(blobs(folder));
  const sized = await Promise.all(files.map(async (file) => ({ file, size: (await readFile(file)).length })));
  return sized.sort((a, b) => b.size - a.size)[0]?.file ?? '';
};

const relabel = (folder: string, change: (label: Record<string, unknown>) => unknown) => async (): Promise<void> => {
  const file = join(folder, 'x86_64-linux/index.json');
  const index = JSON.parse(await readFile(file, 'utf8'));
  const { annotations } = index.manifests[0];
  annotations['io.nix-images.handover'] = JSON.stringify(change(JSON.parse(annotations['io.nix-images.handover'])));
  await writeFile(file, JSON.stringify(index));
};

describe('publish refuses, and moves no tag', () => {
  const refusals: Refusal[] = [
    {
      name: 'a missing platform',
      spoil: (folder) => rm(join(folder, 'aarch64-linux'), { recursive: true }),
      message: /no image for aarch64-linux \(linux\/arm64\)/,
    },
    {
      name: 'a doubled platform',
      spoil: (folder) => cp(join(folder, 'x86_64-linux'), join(folder, 'again'), { recursive: true }),
      message: /x86_64-linux is there 2 times: .*again.*x86_64-linux/,
    },
    {
      name: 'a folder without handovers',
      spoil: async (folder) => {
        await rm(folder, { recursive: true });
        await mkdir(folder);
      },
      message: /has no handover/,
    },
    {
      name: 'a folder that is not there',
      spoil: (folder) => rm(folder, { recursive: true }),
      message: /cannot be read/,
    },
    {
      name: 'a blob with other bytes',
      spoil: async (folder) => {
        const file = await largestBlob(folder);
        const bytes = await readFile(file);
        bytes[1000] = (bytes[1000] ?? 0) ^ 1;
        await writeFile(file, bytes);
      },
      message: /sha256:[0-9a-f]{64}/,
    },
    {
      name: 'a blob that is cut',
      spoil: async (folder) => truncate(await largestBlob(folder), 100),
      message: /size|bytes/,
    },
    { name: 'a blob that is gone', spoil: async (folder) => rm(await largestBlob(folder)), message: /is missing/ },
    {
      name: 'a blob that is a link out of it',
      spoil: async (folder) => {
        const file = await largestBlob(folder);
        await rename(file, join(folder, 'elsewhere'));
        await symlink(join(folder, 'elsewhere'), file);
      },
      message: /leads out of its layout/,
    },
    {
      name: 'a handover that is a link',
      spoil: async (folder) => {
        await rename(join(folder, 'x86_64-linux'), `${folder}-away`);
        await symlink(`${folder}-away`, join(folder, 'x86_64-linux'));
      },
      message: /is a symbolic link/,
    },
    {
      name: 'a digest that climbs out',
      spoil: async (folder) => {
        const file = join(folder, 'x86_64-linux/index.json');
        const text = await readFile(file, 'utf8');
        await writeFile(file, text.replace(/sha256:[0-9a-f]{64}/, 'sha256:../../../../etc/passwd'));
      },
      message: /sha256: and 64 hexadecimal digits/,
    },
    {
      name: 'a label of another version',
      spoil: async (folder) => relabel(folder, (label) => ({ ...label, version: 2 }))(),
      message: /label is not valid/,
    },
    {
      name: 'a label of another image',
      spoil: async (folder) => relabel(folder, (label) => ({ ...label, name: 'other' }))(),
      message: /two images/,
    },
    {
      name: 'an index.json that is no JSON',
      spoil: (folder) => writeFile(join(folder, 'x86_64-linux/index.json'), '{'),
      message: /is not JSON/,
    },
  ];
  test.each(refusals)('$name', async ({ spoil, message }) => {
    const folder = await copyOf('artifact');
    await spoil(folder);
    const name = `refused/${folder.slice(-12).toLowerCase()}`;
    const { exitCode, stderr } = await runCli(['publish', '--from', folder, '--to', `${registry.host}/${name}:v1`]);
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(1);
    expect(stderr).not.toContain('bug:');
    const tags = await (await fetch(`http://${registry.host}/v2/${name}/tags/list`)).json();
    expect(tags).not.toHaveProperty('tags');
  });

  test('a missing platform passes when that is asked for', async () => {
    const from = join(temp.path, 'artifact', 'x86_64-linux');
    const { platforms } = await cliData<Published>([
      'publish',
      '--from',
      from,
      '--to',
      `oci:${temp.path}/alone:v1`,
      '--allow-missing',
    ]);
    expect(platforms).toHaveLength(1);
  });
});
