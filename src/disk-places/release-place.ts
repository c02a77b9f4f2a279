import type { Log } from '../core/log.ts';
import { immutable, type OpenRelease, type ReleaseAsset, type ReleaseUploads } from '../github/rest/release-uploads.ts';
import type { Digest } from '../oci/digest.ts';
import { giveNames, type NamedAsset, STAGED_PREFIX, withoutLeft } from './asset-names.ts';
import { type FilesPlace, type StagedFiles, SUMS, sumsText } from './files-place.ts';
import {
  type AssetFile,
  assetsOf,
  digestOfStream,
  isOfFile,
  isOwnDraft,
  joiningCommands,
  MOST_ASSET,
  ownDraftText,
  releaseText,
} from './release-files.ts';
import { fileOf, type MadeFile } from './zstd-disk.ts';

interface ReleasePlaceOptions {
  /** As a person writes it. */
  readonly name: string;
  readonly tag: string;
  /** Where the tag is made if there is none. */
  readonly commit: string | undefined;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Bytes of an asset at most. */
  readonly most?: number;
}

/**
 * The assets of a release as a place of disks. A release that is not there is made as a draft and published by `close`, when all disks are in it; in one that is
 * published assets get their names when all of a disk are there, and all of them or none. Equal assets are not sent again.
 */
export function releasePlace(api: ReleaseUploads, options: ReleasePlaceOptions): FilesPlace {
  const { name, log, most = MOST_ASSET } = options;
  let opened: Promise<OpenRelease> | undefined;
  const release = (): Promise<OpenRelease> => {
    opened ??= openRelease(api, options);
    return opened;
  };
  const sums = new Map<string, Digest>();
  const own = new Set<number>();
  return {
    name,
    stage: async (files, obsolete = []) =>
      stageAll(files, { api, release: await release(), tag: options.tag, log, most, sums, own, obsolete }),
    close: async (isWhole) => {
      if (opened === undefined) return;
      // Where it could not be opened, nothing is in it.
      const here = await opened.catch(() => undefined);
      if (here === undefined) return;
      const { isDraft, body, url } = here;
      if (!isWhole) {
        if (isDraft) log.warn(`${name} stays a draft, for disks are missing: ${url}`);
        return;
      }
      const assets = (await api.assets(here)).filter(({ isWhole: isThere }) => isThere);
      const text = releaseText(body, assets);
      const isOwn = isDraft && isOwnDraft(body);
      if (text !== body || isOwn) await api.update(here, { body: text, draft: isDraft && !isOwn });
      if (isDraft && !isOwn) log.info(`${name} is a draft that somebody else has made; publish it: ${url}`);
    },
  };
}

/** The release of the tag: the published one, else a draft, the publish's own first; else a new draft. */
async function openRelease(api: ReleaseUploads, { name, commit, log }: ReleasePlaceOptions): Promise<OpenRelease> {
  const found = await api.find();
  const drafts = found.filter(({ isDraft }) => isDraft);
  const release = found.find(({ isDraft }) => !isDraft) ?? drafts.find(({ body }) => isOwnDraft(body)) ?? drafts[0];
  if (drafts.length > 1 && release) log.warn(`${name} has ${drafts.length} drafts; taking ${release.url}`);
  return release ?? api.create(ownDraftText, commit);
}

interface Staging {
  readonly api: ReleaseUploads;
  readonly release: OpenRelease;
  readonly tag: string;
  readonly log: Pick<Log, 'info'>;
  readonly most: number;
  /** Of all files of this run, with those that were split. */
  readonly sums: Map<string, Digest>;
  /** Ids of what this run has sent: a disk may still be staged when the next one comes. */
  readonly own: Set<number>;
  /** Names of files that are taken away. */
  readonly obsolete: readonly string[];
}

async function stageAll(files: readonly MadeFile[], staging: Staging): Promise<StagedFiles> {
  const { api, release, tag, log, most, sums, own, obsolete } = staging;
  const ofDisk = [...files.map((file) => file.name), ...obsolete];
  const before = await withoutLeft(api, await api.assets(release), ({ id }) => own.has(id));
  const there = before.filter(({ isWhole, name }) => isWhole && !name.startsWith(STAGED_PREFIX));
  const placed: NamedAsset[] = [];
  const sent: ReleaseAsset[] = [];
  const abandon = async (): Promise<void> => {
    for (const asset of sent) await api.remove(asset).catch(() => undefined);
  };
  const put = async (file: AssetFile): Promise<void> => {
    const same = await equalAsset(file, there);
    if (same) {
      placed.push({ asset: same, name: file.name });
      return;
    }
    if (release.isImmutable) throw immutable(`${release.url}`);
    // In a draft nobody sees what is half there, but its old assets must be of one disk as well.
    const isTaken = !release.isDraft || there.some(({ name }) => name === file.name);
    const asset = await api.upload(release, { ...file, name: isTaken ? `${STAGED_PREFIX}${file.name}` : file.name });
    sent.push(asset);
    own.add(asset.id);
    placed.push({ asset, name: file.name });
  };
  try {
    for (const file of files) {
      const parts = assetsOf(file, most);
      for (const part of parts) await put(part);
      if (parts.length > 1) sums.set(file.name, await digestOfStream(file.read(0, file.size)));
    }
  } catch (error) {
    await abandon();
    throw error;
  }
  const bytesSent = sent.reduce((sum, { size }) => sum + size, 0);
  if (sent.length === 0) log.info(`${release.url} has these disks already`);
  const finish = async (): Promise<readonly string[]> => {
    const now = await api.assets(release);
    await giveNames(api, placed, now);
    const names = new Set(placed.map(({ name }) => name));
    const old = now.filter(({ name }) => !names.has(name) && ofDisk.some((file) => isOfFile(name, file)));
    for (const asset of old) await api.remove(asset);
    for (const { asset, name } of placed) if (asset.digest !== undefined) sums.set(name, asset.digest);
    await putSums(staging);
    return placed.map(({ name }) => downloadUrl(release, tag, name));
  };
  return { bytesSent, finish, abandon };
}

/** Where an asset will be when the release is published: the page of a draft is elsewhere. */
const downloadUrl = ({ url }: OpenRelease, tag: string, name: string): string =>
  `${url.replace(/\/releases\/.*$/, '')}/releases/download/${encodeURIComponent(tag)}/${name}`;

/** The asset that is this file already, by what GitHub says of it: hashed only where name and size are the same. */
async function equalAsset(file: AssetFile, there: readonly ReleaseAsset[]): Promise<ReleaseAsset | undefined> {
  const asset = there.find(({ name }) => name === file.name);
  if (asset?.digest === undefined || asset.size !== file.size) return undefined;
  return (await digestOfStream(file.read())) === asset.digest ? asset : undefined;
}

/** The checksums of all that is there, by what GitHub says, and of split files, by what was read here. */
async function putSums({ api, release, sums }: Staging): Promise<void> {
  const assets = (await api.assets(release)).filter(
    ({ isWhole, name }) => isWhole && name !== SUMS && !name.startsWith(STAGED_PREFIX),
  );
  const known = assets.flatMap(({ name, digest }): [string, Digest][] =>
    digest === undefined ? [] : [[name, digest]],
  );
  const text = sumsText(new Map([...known, ...sums]), joiningCommands(assets));
  const bytes = Buffer.from(text);
  const file = fileOf(SUMS, bytes);
  const [there] = (await api.assets(release)).filter(({ name }) => name === SUMS);
  if (there && (await equalAsset({ ...file, read: () => file.read(0, file.size) }, [there]))) return;
  const staged = await api.upload(release, {
    name: there ? `${STAGED_PREFIX}${SUMS}` : SUMS,
    size: bytes.length,
    read: () => file.read(0, bytes.length),
  });
  if (there) await giveNames(api, [{ asset: staged, name: SUMS }], [there]);
}
