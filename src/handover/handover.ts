import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { BuiltImage } from '../image/image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { ImageDestination } from '../storage/destination.ts';
import { openLayoutEntries } from '../storage/layout-entries.ts';
import type { ImageSource } from '../storage/source.ts';
import { type HandoverLabel, labelAnnotations, readLabel } from './label.ts';

/** What a build job leaves for the fan-in: an OCI layout with a label. */
export interface Handover {
  /** Folder or archive, for messages. */
  readonly origin: string;
  readonly label: HandoverLabel;
  readonly manifest: StoredManifest;
  /** The layout, which has manifest and config always, and the layers in mode `artifact`. */
  readonly layout: ImageSource;
}

/**
 * Completes a handover: config, small documents and manifest, and the label under the system's name. The layers must be where the
 * label says already.
 */
export async function writeHandover(layout: ImageDestination, image: BuiltImage, label: HandoverLabel): Promise<void> {
  for (const { descriptor, bytes } of [image.config, ...(image.documents ?? [])])
    await layout.putBlob(descriptor, bytes);
  await layout.tag(label.system, image.manifest, labelAnnotations(label));
  await layout.commit();
}

/**
 * Finds the handovers in a folder: the folder itself, or the layouts and layout archives (`.tar`) in it, as downloads
 * of several artifacts give. Nothing in it is trusted: links are not followed, digests are checked. Throws UserError
 * `handover`.
 */
export async function readHandovers(folder: string, tempDir: string): Promise<Handover[]> {
  const found = await Promise.all((await layoutsIn(folder)).map((layout) => readHandover(layout, tempDir)));
  if (found.length > 0) return found.flat();
  throw new UserError('handover', `${folder} has no handover`, {
    hint: 'Name the folder that `nix-images build --out` made, or one that holds several of them.',
  });
}

async function layoutsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new UserError(
      'handover',
      `${folder} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        hint: 'Name the folder that `nix-images build --out` made.',
        cause,
      },
    );
  });
  if (entries.some((entry) => entry.name === 'oci-layout')) return [folder];
  const link = entries.find((entry) => entry.isSymbolicLink());
  if (link) throw escapes(join(folder, link.name));
  const layouts = entries.filter((entry) => entry.isDirectory() || entry.name.endsWith('.tar'));
  return layouts.map((entry) => join(folder, entry.name)).sort();
}

/** The handovers in one layout or layout archive. Throws UserError `handover` when it has none, or its label is not legal. */
export async function readHandover(path: string, tempDir: string): Promise<Handover[]> {
  const { source, entries } = await openLayoutEntries(path, tempDir);
  const labelled = entries.flatMap((entry) => {
    const label = readLabel(entry, path);
    return label ? [{ entry, label }] : [];
  });
  if (labelled.length > 0)
    return Promise.all(labelled.map(({ entry, label }) => readEntry(path, entry, label, source)));
  throw new UserError('handover', `${path} is an OCI layout, but not a handover`, {
    hint: 'Only what `nix-images build` leaves can be published with --from.',
  });
}

async function readEntry(
  origin: string,
  entry: Descriptor,
  label: HandoverLabel,
  layout: ImageSource,
): Promise<Handover> {
  const manifest = await layout.getManifest(entry.digest);
  if (manifest) return { origin, label, manifest, layout };
  throw new UserError('handover', `${origin}: its manifest ${entry.digest} is missing`, {
    hint: 'Run the build job again.',
  });
}

const escapes = (path: string): UserError =>
  new UserError('handover', `${path} is a symbolic link, which a handover must not contain`, {
    hint: 'The handover was tampered with or copied wrongly. Run the build job again.',
  });
