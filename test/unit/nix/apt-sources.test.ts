import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { debianSource } from '../../../scripts/setup/nix-versions.mjs';

const RELEASE = 'ID=debian\nVERSION_CODENAME=bookworm\n';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const DEB822 = `# a comment
Types: deb
URIs: https://packages.example.org/cloud
Suites: cloud-bookworm
Components: main

Types: deb deb-src
# another
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: ${KEYRING}
`;

const withEtc = async (files: Record<string, string>, work: (etc: string) => void): Promise<void> => {
  const etc = await mkdtemp(join(tmpdir(), 'nix-images-etc-'));
  try {
    await mkdir(join(etc, 'apt', 'sources.list.d'), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(etc, name), text);
    work(etc);
  } finally {
    await rm(etc, { recursive: true, force: true });
  }
};

describe("the machine's own Debian archive", () => {
  test.each([
    ['deb822', { 'apt/sources.list.d/debian.sources': DEB822 }, 'http://mirror.example.org/debian', KEYRING],
    [
      'one-line',
      {
        'apt/sources.list': '# deb http://old x main\ndeb http://mirror.example.org/debian bookworm main contrib # x\n',
      },
      'http://mirror.example.org/debian',
      undefined,
    ],
    [
      'one-line with options',
      {
        'apt/sources.list.d/a.list': `deb-src http://no bookworm main\ndeb [arch=amd64 signed-by=${KEYRING}] http://yes/debian bookworm main\n`,
      },
      'http://yes/debian',
      KEYRING,
    ],
  ])('%s', async (_name, files, uri, signedBy) => {
    await withEtc({ 'os-release': RELEASE, ...files }, (etc) => {
      expect(debianSource(etc)).toEqual({ uri, signedBy });
    });
  });

  test.each([
    ['another distribution', { 'os-release': 'ID=ubuntu\n' }, 'is no Debian'],
    ['no archive', { 'os-release': RELEASE, 'apt/sources.list.d/x.sources.disabled': DEB822 }, 'no Debian archive'],
    [
      'only security updates',
      { 'os-release': RELEASE, 'apt/sources.list': 'deb http://x/debian-security bookworm-security main\n' },
      'no Debian archive',
    ],
  ])('%s is said', async (_name, files, message) => {
    await withEtc(files, (etc) => {
      expect(() => debianSource(etc)).toThrow(message);
    });
  });
});
