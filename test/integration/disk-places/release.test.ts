// Takes seconds: 23 releases are filled, each by a dozen requests of a client that is loaded once.
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FilesPlace, parseSums } from '../../../src/disk-places/files-place.ts';
import { releaseText } from '../../../src/disk-places/release-files.ts';
import { releasePlace } from '../../../src/disk-places/release-place.ts';
import { fileOf, zstdDisk } from '../../../src/disk-places/zstd-disk.ts';
import { releaseUploads } from '../../../src/github/rest/release-uploads.ts';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { type GitHubFault, startGitHub } from '../../emulators/github/emulator.ts';
import type { Permissions } from '../../emulators/github/permissions.ts';
import {
  leaveCut,
  releaseUploadRoutes,
  type UploadedRelease,
  type UploadModes,
  type UploadState,
} from '../../emulators/github/release-uploads.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { testDisk } from './kit.ts';

const fetch = createFetch(new Connections({ env: () => undefined, config: '/nonexistent' }));
const { signal } = new AbortController();
const clock = { now: () => 0, random: () => 0, sleep: async (): Promise<void> => undefined };

interface Scene {
  readonly faults?: readonly GitHubFault[];
  readonly permissions?: Permissions;
  readonly modes?: UploadModes;
  readonly releases?: UploadedRelease[];
}

const start = async ({ faults = [], permissions = { contents: 'write' }, modes = {}, releases = [] }: Scene = {}) => {
  const state: UploadState = { repository: 'org/app', releases, nextId: 100 };
  let origin = '';
  const github = await startGitHub({
    ...{ permissions, faults, routes: releaseUploadRoutes(state, () => origin, modes) },
    cutUpload: (name) => leaveCut(state, name),
  });
  origin = github.url;
  onTestFinished(() => github.stop());
  const log = memoryLog();
  const open = (most?: number, tag = 'v1', repository = 'org/app'): FilesPlace =>
    releasePlace(
      releaseUploads({
        ...{ url: github.url, token: github.token, fetch, log, signal, second: 1, clock },
        ...{ repository, tag },
      }),
      { name: `release:org/app@${tag}`, tag, commit: 'abc', log, ...(most === undefined ? {} : { most }) },
    );
  const sent = () => github.requests.flatMap((line) => /^POST .*assets\?name=([^&\s]+)/.exec(line)?.[1] ?? []);
  return { state, github, log, open, sent };
};

const names = (release: UploadedRelease | undefined): string[] =>
  (release?.assets ?? []).map(({ name }) => name).sort();

const publish = async (place: FilesPlace, files: Parameters<FilesPlace['stage']>[0]) => {
  const staged = await place.stage(files);
  const urls = await staged.finish();
  await place.close(true);
  return { urls, bytesSent: staged.bytesSent };
};

const text = (name: string, content = name) => fileOf(name, Buffer.from(content));

const draftOf = (id: number, body = '', more: Partial<UploadedRelease> = {}): UploadedRelease => ({
  ...{ id, tag: 'v1', draft: true, body, assets: [] },
  ...more,
});

describe('a release that is not there', () => {
  it('is a draft until all disks are in it', async () => {
    const { state, open, github } = await start();
    const { disk } = await testDisk();
    const place = open();
    const file = zstdDisk('vm-x86_64-linux.raw.zst', disk);
    const staged = await place.stage([file, text('vm-x86_64-linux.positions.json')]);
    expect(state.releases).toMatchObject([{ tag: 'v1', draft: true, target: 'abc' }]);
    const urls = await staged.finish();
    expect(state.releases[0]?.draft).toBe(true);
    await place.close(true);
    const [release] = state.releases;
    expect(release).toMatchObject({
      draft: false,
      body: expect.stringContaining('zstd -d --sparse vm-x86_64-linux.raw.zst'),
    });
    expect(release?.body).not.toContain('nix-images: draft');
    expect(names(release)).toEqual(['SHA256SUMS', 'vm-x86_64-linux.positions.json', 'vm-x86_64-linux.raw.zst']);
    expect(release?.assets.find(({ name }) => name === file.name)?.bytes.length).toBe(file.size);
    expect(urls[0]).toBe('https://github.com/org/app/releases/download/v1/vm-x86_64-linux.raw.zst');
    // Uploads are asked of the address that the release names, and nothing is asked of it that is not.
    expect(github.requests.filter((line) => line.includes('/uploads.github.com/'))).toHaveLength(3);
  });

  it('stays a draft where a disk is missing, and the next run publishes it', async () => {
    const { state, open, log, sent } = await start();
    const place = open();
    await (await place.stage([text('a.raw.zst')])).finish();
    await place.close(false);
    expect(state.releases[0]?.draft).toBe(true);
    expect(log.lines).toContainEqual(
      expect.stringMatching(/release:org\/app@v1 stays a draft, for disks are missing: https/),
    );
    await publish(open(), [text('a.raw.zst')]);
    await publish(open(), [text('b.raw.zst')]);
    expect(state.releases).toHaveLength(1);
    expect(state.releases[0]?.draft).toBe(false);
    expect(sent().filter((name) => name === 'a.raw.zst')).toHaveLength(1);
  });

  it('is not left with what was given up', async () => {
    const { state, open } = await start();
    const place = open();
    await (await place.stage([text('a.raw.zst')])).abandon();
    await place.close(false);
    expect(names(state.releases[0])).toEqual([]);
  });

  it('is not made without the permission', async () => {
    const { state, open } = await start({ permissions: { contents: 'read' } });
    await expect(open().stage([text('a')])).rejects.toThrow(
      expect.objectContaining({
        code: 'credentials',
        message: expect.stringContaining('cannot make the release v1 of org/app: 403'),
        hint: expect.stringContaining('`permissions: contents: write`'),
      }),
    );
    expect(state.releases).toEqual([]);
  });
});

describe('a release of a repository that the token does not see', () => {
  it('is refused with what the token is for', async () => {
    const { open } = await start();
    await expect(open(undefined, 'v1', 'org/other').stage([text('a')])).rejects.toThrow(
      expect.objectContaining({
        code: 'credentials',
        message: expect.stringContaining('the release v1 of org/other: GitHub shows no such repository or release'),
      }),
    );
  });
});

describe('a draft that is there', () => {
  it("is filled and left a draft where it is somebody's own, whose text stays", async () => {
    const { state, open, log } = await start({ releases: [draftOf(1, 'What is new\n')] });
    await publish(open(), [text('a.raw.zst')]);
    expect(state.releases).toMatchObject([
      { draft: true, body: expect.stringMatching(/^What is new\n\n<!-- nix-images/) },
    ]);
    expect(log.lines).toContainEqual(expect.stringContaining('is a draft that somebody else has made; publish it'));
  });

  it('is the one that a publish has made, where there are several', async () => {
    const { state, open, log } = await start({ releases: [draftOf(1), draftOf(2, '<!-- nix-images: draft -->\n')] });
    await publish(open(), [text('a.raw.zst')]);
    expect(state.releases.map(({ draft }) => draft)).toEqual([true, false]);
    expect(log.lines).toContainEqual(expect.stringContaining('has 2 drafts'));
  });
});

describe('a release that is published', () => {
  const published = (more: Partial<UploadedRelease> = {}) => draftOf(1, 'Notes', { draft: false, ...more });

  it('takes the disks of several systems, which are all sent before one is shown', async () => {
    const { state, open } = await start({ releases: [published()] });
    const place = open();
    const one = await place.stage([text('vm-x86_64-linux.raw.zst')]);
    const other = await place.stage([text('vm-aarch64-linux.raw.zst')]);
    await one.finish();
    await other.finish();
    await place.close(true);
    expect(names(state.releases[0])).toEqual(['SHA256SUMS', 'vm-aarch64-linux.raw.zst', 'vm-x86_64-linux.raw.zst']);
  });

  it('loses what a run left in it that was ended', async () => {
    const { state, open } = await start({ releases: [published()] });
    await open().stage([text('vm-x86_64-linux.raw.zst', 'of the run before')]);
    await publish(open(), [text('other.raw.zst')]);
    expect(names(state.releases[0])).toEqual(['SHA256SUMS', 'other.raw.zst']);
  });

  it('gets a disk under its name when all of it is there, and what the disk before had goes', async () => {
    const scene = await start({ releases: [published()] });
    const { state, open, sent } = scene;
    await publish(open(4), [text('a.raw.zst', '0123456789'), text('other', 'o')]);
    const [release] = state.releases;
    expect(names(release)).toEqual(
      ['SHA256SUMS', 'a.raw.zst.part-01', 'a.raw.zst.part-02', 'a.raw.zst.part-03', 'other'].sort(),
    );
    const staged = await open(6).stage([text('a.raw.zst', '9876543210')]);
    expect(release?.assets.find(({ name }) => name === 'a.raw.zst.part-01')?.bytes.toString()).toBe('0123');
    await staged.finish();
    expect(names(release)).toEqual(['SHA256SUMS', 'a.raw.zst.part-01', 'a.raw.zst.part-02', 'other'].sort());
    expect(release?.assets.find(({ name }) => name === 'a.raw.zst.part-01')?.bytes.toString()).toBe('987654');
    expect(sent()).toContain('staged-a.raw.zst.part-01');
  });

  const parts = (release: UploadedRelease | undefined): string[] =>
    (release?.assets ?? [])
      .filter(({ name }) => name.includes('a.raw.zst'))
      .map(({ name, bytes }) => `${name}=${bytes}`)
      .sort();

  it('keeps the disk before where an asset does not get its name', async () => {
    const before = { id: 9, state: 'uploaded', bytes: Buffer.from('old') } as const;
    const assets: UploadedRelease['assets'] = [1, 2].map((part) => ({
      ...{ ...before, id: part, name: `a.raw.zst.part-0${part}` },
    }));
    // Uploads are 100 and 101; the second is not renamed, whatever is tried.
    const faults = [{ method: 'PATCH', path: /assets\/101$/, when: 'before', status: 422, times: 99 }] as const;
    const { state, open } = await start({ releases: [published({ assets })], faults });
    const staged = await open(4).stage([text('a.raw.zst', '01234567')]);
    await expect(staged.finish()).rejects.toThrow('cannot rename the asset staged-a.raw.zst.part-02');
    await staged.abandon();
    expect(parts(state.releases[0])).toEqual(['a.raw.zst.part-01=old', 'a.raw.zst.part-02=old']);
  });

  it.each([
    ['before all had their names gets the disk before back', ['staged-a.raw.zst.part-02'], 'old'],
    ['after that is tidied up', [], 'new'],
  ])('that a run left %s', async (_name, left, content) => {
    const named = (name: string, text: string, id: number): UploadedRelease['assets'][number] => ({
      ...{ id, name, state: 'uploaded', bytes: Buffer.from(text) },
    });
    const second = left.length > 0 ? [] : [named('a.raw.zst.part-02', 'new', 3)];
    const assets = [
      ...[named('a.raw.zst.part-01', 'new', 1), named('replaced-a.raw.zst.part-01', 'old', 2), ...second],
      ...[named('replaced-a.raw.zst.part-02', 'old', 4), ...left.map((name) => named(name, 'new', 5))],
    ];
    const { state, open } = await start({ releases: [published({ assets })] });
    await publish(open(), [text('other.raw.zst')]);
    expect(parts(state.releases[0])).toEqual([`a.raw.zst.part-01=${content}`, `a.raw.zst.part-02=${content}`]);
  });

  it('gets a file of the same size and other content', async () => {
    const { state, open } = await start({ releases: [published()] });
    for (const content of ['1111', '2222']) await publish(open(), [text('a.raw.zst', content)]);
    expect(state.releases[0]?.assets.find(({ name }) => name === 'a.raw.zst')?.bytes.toString()).toBe('2222');
  });

  it('is sent nothing that it has already, and its text stays as it is', async () => {
    const scene = await start({ releases: [published()] });
    const files = [text('a.raw.zst', '0123456789'), text('a.positions.json')];
    await publish(scene.open(4), files);
    const before = [...scene.sent()];
    const body = scene.state.releases[0]?.body;
    const changes = (): number => scene.github.requests.filter((line) => !line.startsWith('GET')).length;
    const changed = changes();
    const again = await publish(scene.open(4), files);
    expect(scene.sent()).toEqual(before);
    expect(again.bytesSent).toBe(0);
    expect(scene.state.releases[0]?.body).toBe(body);
    expect(changes()).toBe(changed);
  });

  it('loses what a disk has no longer, and no more', async () => {
    const { state, open } = await start({ releases: [published()] });
    const disk = text('a.raw.zst');
    const others = names(state.releases[0]);
    await publish(open(), [disk, text('a.positions.json'), text('b.positions.json')]);
    const place = open();
    await (await place.stage([disk], ['a.positions.json'])).finish();
    await place.close(true);
    const left = ['a.raw.zst', 'b.positions.json'];
    expect(names(state.releases[0])).toEqual([...new Set([...others, 'SHA256SUMS', ...left])].sort());
    const sums = state.releases[0]?.assets.find(({ name }) => name === 'SHA256SUMS')?.bytes.toString();
    expect([...parseSums(sums ?? '').keys()].sort()).toEqual(expect.arrayContaining(left));
    expect(sums).not.toContain('a.positions.json');
  });

  it('is sent all of it again where it does not say what it has', async () => {
    const scene = await start({ releases: [published()], modes: { hasDigests: false } });
    await publish(scene.open(), [text('a.raw.zst')]);
    await publish(scene.open(), [text('a.raw.zst')]);
    expect(scene.sent().filter((name) => name.endsWith('a.raw.zst'))).toHaveLength(2);
    const sums = scene.state.releases[0]?.assets.find(({ name }) => name === 'SHA256SUMS');
    expect(sums?.bytes.toString()).toContain('  a.raw.zst\n');
  });

  it('cannot be changed where it is immutable, unless nothing is new', async () => {
    const scene = await start({ modes: { areImmutable: true } });
    await publish(scene.open(), [text('a.raw.zst')]);
    expect(scene.state.releases[0]?.immutable).toBe(true);
    await publish(scene.open(), [text('a.raw.zst')]);
    await expect(scene.open().stage([text('b.raw.zst')])).rejects.toThrow(
      expect.objectContaining({
        code: 'github',
        message: expect.stringContaining('is immutable: its assets cannot change'),
      }),
    );
  });

  it('is found out to be immutable by what GitHub says of an upload', async () => {
    const scene = await start({ releases: [published()] });
    const place = scene.open();
    await (await place.stage([text('a')])).finish();
    const [release] = scene.state.releases;
    if (release) release.immutable = true;
    await expect(place.stage([text('b')])).rejects.toThrow('the release v1 of org/app is immutable');
  });
});

describe('uploads that fail', () => {
  const upload = { method: 'POST', path: /\/assets$/ } as const;

  it.each<[string, GitHubFault]>([
    ['a connection that breaks midway, and leaves a name that is taken', { ...upload, when: 'midway', status: 0 }],
    ['a connection that breaks before', { ...upload, when: 'before', status: 0 }],
    ['an error of the service', { ...upload, when: 'before', status: 502 }],
    ['an error although the asset is there', { ...upload, when: 'after', status: 500 }],
    ['several of them', { ...upload, when: 'midway', status: 500, times: 3 }],
    ['a second limit', { ...upload, when: 'before', status: 403, message: 'You have exceeded a secondary rate limit' }],
  ])('%s', async (_, fault) => {
    const { state, open } = await start({ faults: [fault] });
    const { disk } = await testDisk();
    const file = zstdDisk('a.raw.zst', disk);
    await publish(open(), [file]);
    const [release] = state.releases;
    expect(names(release)).toEqual(['SHA256SUMS', 'a.raw.zst']);
    expect(release?.assets.every(({ state: is }) => is === 'uploaded')).toBe(true);
    expect(release?.assets.find(({ name }) => name === 'a.raw.zst')?.bytes.length).toBe(file.size);
  });

  it('leave nothing behind when they are given up', async () => {
    const { state, open } = await start({ faults: [{ ...upload, when: 'midway', status: 500, times: 50 }] });
    await expect(open().stage([text('a')])).rejects.toThrow(/cannot upload a to the release v1 of org\/app: 500/);
    expect(names(state.releases[0])).toEqual([]);
  });

  it('of an earlier run have left a name that is taken, which is freed', async () => {
    const releases = [draftOf(1, '', { assets: [{ id: 9, name: 'a', bytes: Buffer.alloc(0), state: 'open' }] })];
    const { state, open, github } = await start({ releases });
    await publish(open(), [text('a')]);
    expect(state.releases[0]?.assets.find(({ name }) => name === 'a')?.bytes.toString()).toBe('a');
    expect(github.requests.filter((line) => line.endsWith(' 422'))).toEqual([]);
  });

  it('are told where GitHub keeps the asset under another name', async () => {
    const { open } = await start();
    await expect(open().stage([text('a b')])).rejects.toThrow('has kept a b under the name a.b');
  });

  it('are told where an asset is too large', async () => {
    const { open } = await start({ modes: { limit: 10 } });
    await expect(open().stage([text('a', '0123456789')])).rejects.toThrow(
      /cannot upload a to .*: 422 .*size must be less/,
    );
  });

  it('publishing is tried again after errors of the service', async () => {
    const faults: GitHubFault[] = [
      { method: 'PATCH', path: /\/releases\/\d+$/, when: 'before', status: 502, times: 2 },
    ];
    const { state, open } = await start({ faults });
    await publish(open(), [text('a.raw.zst')]);
    expect(state.releases[0]?.draft).toBe(false);
  });
});

describe('the text of a release', () => {
  it('says how each disk is unpacked, once, and leaves what people wrote', () => {
    const assets = [
      { name: 'b.raw.zst.part-02', size: 5 },
      { name: 'b.raw.zst.part-01', size: 2000 },
      { name: 'a.raw.zst', size: 10 },
      { name: 'SHA256SUMS', size: 1 },
    ];
    const text = releaseText('Notes\n', assets);
    expect(text).toContain('cat b.raw.zst.part-* | zstd -d --sparse -o b.raw\n');
    expect(text).toContain('zstd -d --sparse a.raw.zst -o a.raw\n');
    expect(text).toContain('| `b.raw.zst` | 2.0 kB | 2 parts |');
    expect(releaseText(text, assets)).toBe(text);
    expect(releaseText(text, [])).toBe('Notes\n\n');
  });
});
