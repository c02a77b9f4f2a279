import { expect, test } from 'vitest';
import type { ServedStatistics } from '../../../src/cache/substituter/statistics.ts';
import { builtImages, tellImage, tellImages } from '../../../src/commands/built-images.ts';
import { jobSummary, jobText } from '../../../src/commands/present-cache.ts';
import type { Evaluated } from '../../../src/nix/found-image.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const statistics: ServedStatistics = {
  schemaVersion: 1,
  ...{ hits: 9, misses: 3, paths: 8, bytes: 3_000_000, secondsSaved: 125, lost: 1 },
  ...{ packs: 1, packsLost: 0, bytesFetched: 4_000_000, bytesInVain: 1_000_000 },
};
const saved = { paths: 2, bytes: 500_000, packs: 1, lost: 0, refused: 1, cache: "GitHub's cache" };

test('what a job took from the cache and gave to it is in its log and its summary', () => {
  const end = { ended: { wasThere: true, statistics, wanted: [] }, saved };
  expect(jobText(end)).toBe(
    'served 8 paths (3.0 MB), 2 min 5 s of builds saved; 25 % of 4.0 MB fetched in vain; 1 path could not be served\n' +
      "stored 2 paths (500.0 kB) in 1 pack of GitHub's cache; 1 are not worth their room",
  );
  const { summary = '' } = jobSummary(end);
  expect(summary).toContain('| From the cache | 8 paths | 3.0 MB | 2 min 5 s of builds saved |');
  expect(summary).toContain('| Asked for | 75 % found | 4.0 MB | 25 % fetched in vain |');
  expect(summary).toContain('| Stored | 2 paths | 500.0 kB | 1 pack |');
});

test('a job that had nothing to do with the cache has nothing in its summary', () => {
  expect(jobText(undefined)).toBe('');
  const nothing = { ...saved, paths: 0, refused: 0 };
  const end = { ended: { wasThere: false, statistics: undefined, wanted: [] }, saved: nothing };
  expect(jobSummary(end)).toEqual({});
  expect(jobText(end)).toBe("nothing new for GitHub's cache");
});

test('images of other tools are told to the step that saves, at once; definitions have no path', async () => {
  await using folder = await uniqueTempDir('images');
  const host = { env: (name: string) => (name === 'RUNNER_TEMP' ? folder.path : undefined) };
  const [image, other] = ['a', 'b'].map((letter) => `/nix/store/${letter.repeat(32)}-image`);
  const evaluated = (of: object) => of as unknown as Evaluated;
  tellImages(host, [`${image}.drv`, image ?? '']);
  tellImage(host, evaluated({ kind: 'tool-image', toolImage: { outPath: other } }));
  tellImage(host, evaluated({ kind: 'tool-image', toolImage: { outPath: '/etc/passwd' } }));
  tellImage(host, evaluated({ kind: 'definition' }));
  expect(await builtImages(host)).toEqual([`${image}.drv`, image, other]);
  // A person's machine has no job to tell.
  tellImages({ env: () => undefined }, [image ?? '']);
  expect(await builtImages({ env: () => undefined })).toEqual([]);
});
