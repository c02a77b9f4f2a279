import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { StoredManifest } from '../../../src/oci/read-manifest.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { manifestOf, noise } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), noise(100, 'logo')]);

const index = (description?: string, platforms: readonly string[] = ['amd64', 'arm64']): StoredManifest =>
  manifestOf(
    {
      ...(description === undefined ? {} : { annotations: { 'org.opencontainers.image.description': description } }),
      manifests: [
        ...platforms.map((architecture) => ({ architecture, os: 'linux' })),
        { architecture: 'unknown', os: 'unknown' },
      ].map((platform) => ({ mediaType: MEDIA_TYPE.manifest, digest: `sha256:${'0'.repeat(64)}`, size: 9, platform })),
    },
    MEDIA_TYPE.index,
  );

const operations = (calls: readonly string[]): string[] => calls.map((call) => call.replace(/^.*:(\w+) .*$/, '$1'));

/** An account, and publishes to it: each is a run of its own, and says what it asked AWS after the image was there. */
const gallery = async (options: Parameters<typeof startAws>[1] = {}) => {
  const world = await startAws('public', options);
  const folder = await uniqueTempDir('gallery');
  onTestFinished(() => folder.remove());
  const publish = async (settings: object | undefined, manifest: StoredManifest, create = true): Promise<string[]> => {
    const file = join(folder.path, 'settings.json');
    await writeFile(file, JSON.stringify(settings ?? {}));
    const given = settings === undefined ? {} : { repositorySettings: file };
    const { prepare, show } = await world.open(`${PUBLIC}/acme/app`, { createRepository: create, ...given });
    await prepare();
    const before = world.aws.calls.length;
    await show(manifest);
    return operations(world.aws.calls.slice(before));
  };
  const page = () => world.aws.store.repositories.get('public/app')?.catalogue;
  return { ...world, folder: folder.path, publish, page };
};

describe("the page of ECR Public's gallery", () => {
  it('shows what the image says, follows it, and is not written where nothing differs', async () => {
    const { aws, publish, page } = await gallery();
    expect(await publish(undefined, index('An app'))).toEqual(['GetRepositoryCatalogData', 'PutRepositoryCatalogData']);
    const platforms = { architectures: ['ARM 64', 'x86-64'], operatingSystems: ['Linux'] };
    expect(page()).toEqual({ description: 'An app', ...platforms });
    expect(await publish(undefined, index('An app'))).toEqual(['GetRepositoryCatalogData']);
    await publish(undefined, index('A better app', ['amd64']));
    expect(page()).toEqual({ description: 'A better app', ...platforms, architectures: ['x86-64'] });
    expect(aws.violations).toEqual([]);
  });

  it('shows what the settings name, from files of the name of the image, and keeps what neither says', async () => {
    const { aws, publish, page, folder } = await gallery();
    await writeFile(join(folder, 'app.md'), '# About');
    await writeFile(join(folder, 'logo.png'), PNG);
    const given = { description: 'Named', about: { file: '{name}.md' }, usage: 'Run it', logo: 'logo.png' };
    await publish(given, index('An app'));
    const shown = { description: 'Named', aboutText: '# About', usageText: 'Run it', logoUrl: expect.any(String) };
    expect(page()).toMatchObject({ ...shown, architectures: ['ARM 64', 'x86-64'] });
    expect(await publish(given, index('An app'))).toEqual(['GetRepositoryCatalogData']);
    await writeFile(join(folder, 'app.md'), '# Changed');
    await publish(given, index('An app'));
    expect(page()).toMatchObject({ aboutText: '# Changed', usageText: 'Run it' });
    await publish({ fromImage: false, usage: 'Do not' }, index('Another', ['amd64']));
    expect(page()).toMatchObject({ description: 'Named', usageText: 'Do not', architectures: ['ARM 64', 'x86-64'] });
    expect(aws.violations).toEqual([]);
  });

  it('is left alone by those who ask for neither a repository nor settings', async () => {
    const { aws, publish } = await gallery();
    aws.store.repositories.set('public/app', { settings: {} });
    expect(await publish(undefined, index('An app'), false)).toEqual([]);
  });

  it.each([
    'GetRepositoryCatalogData',
    'PutRepositoryCatalogData',
  ])('stays as it is without the right to %s: a warning with the statement to add', async (operation) => {
    const action = `ecr-public:${operation}`;
    const { publish, page, host } = await gallery({ denied: { [action]: action } });
    const warn = vi.spyOn(host.log, 'warn');
    const says = new RegExp(`cannot change what the gallery shows.*"${action}"`);
    // A note where nobody asked for a page.
    await publish(undefined, index('An app'));
    expect(host.log.lines.join('\n')).toMatch(says);
    expect(warn).not.toHaveBeenCalled();
    await publish({}, index('An app'));
    expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(says));
    expect(page()).toBeUndefined();
  });

  it.each([
    ['a text that is too long', { about: 'x'.repeat(25_601) }, 'about'],
    ['a logo that is too large', { logo: 'large.png' }, 'large.png'],
    ['a logo of another kind', { logo: 'logo.svg' }, 'not a PNG'],
    ['a file that is missing', { usage: { file: 'none.md' } }, 'none.md'],
    ['names that are too many', { architectures: Array(51).fill('ARM') }, 'architectures'],
  ])('with %s is an error before anything is made', async (_name, settings, says) => {
    const { aws, publish, folder } = await gallery();
    await writeFile(join(folder, 'large.png'), Buffer.concat([PNG, Buffer.alloc(512_000)]));
    await writeFile(join(folder, 'logo.svg'), '<svg/>');
    await expect(publish(settings, index())).rejects.toMatchObject({ message: expect.stringContaining(says) });
    expect(aws.store.repositories.size).toBe(0);
  });
});

it('ECR has no page', async () => {
  const { aws, open } = await startAws('private');
  const { prepare, show } = await open(`${PRIVATE}/team/app`, { createRepository: true });
  await prepare();
  const before = aws.calls.length;
  await show(index('An app'));
  expect(aws.calls.slice(before)).toEqual([]);
});
