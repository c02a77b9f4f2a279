import { expect, test } from 'vitest';
import { filesPlaces } from '../../../src/commands/files-places.ts';
import { openGitHubPlace } from '../../../src/commands/github-places.ts';
import type { Host } from '../../../src/host/host.ts';

const host = { env: () => undefined } as unknown as Host;

test.each([
  [
    'a release that disks go to',
    'disks.md#releases',
    () =>
      filesPlaces(host, undefined).open(
        { kind: 'release', repository: 'org/app', tag: 'v1' },
        { name: 'vm', stem: 'vm-x86_64-linux' },
      ),
  ],
  [
    'what retention removes',
    'retention.md#caches-artifacts-and-releases',
    () =>
      openGitHubPlace(
        { kind: 'github', what: 'caches' },
        { repository: 'org/app', token: undefined, isForced: false },
        host,
      ),
  ],
])('without a token the error names the page of %s', (_what, docs, open) => {
  expect(open).toThrow(expect.objectContaining({ code: 'credentials', docs }));
});
