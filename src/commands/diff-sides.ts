import { UserError } from '../core/error.ts';
import { contentsOf } from '../diff/contents.ts';
import type { ComparedImage } from '../diff/image-diff.ts';
import type { Host } from '../host/host.ts';
import { readImageClosure } from '../image/from-definition/image-closure.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { evaluateImages } from '../nix/evaluate.ts';
import { type Installable, installableText, parseInstallable } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { platformOf, platformText, SYSTEMS } from '../oci/system.ts';
import type { Location } from '../storage/location.ts';
import { parsePlace } from './naming.ts';
import { inFolder, type Places } from './places.ts';

/** One of the two things that are compared: an image that is there, or one that a flake would make. */
type DiffSide =
  | { readonly kind: 'image'; readonly location: Location }
  | { readonly kind: 'installable'; readonly installable: Installable };

/** `FLAKE#NAME`, for no reference of an image has that sign, or a place. Throws UserError `input` or `reference`. */
export const parseSide = (text: string): DiffSide =>
  text.includes('#')
    ? { kind: 'installable', installable: parseInstallable(text) }
    : { kind: 'image', location: parsePlace(text) };

interface SideTools {
  readonly host: Host;
  readonly places: Places;
  /** Opened when it is asked for: to compare what is published needs no Nix. */
  readonly nix: () => Promise<Nix>;
}

/** Reads what a side holds; no layer is fetched. Throws UserError as the place, Nix and its builds do. */
export const readSide = (side: DiffSide, tools: SideTools): Promise<ComparedImage> =>
  side.kind === 'image' ? readPublished(side.location, tools) : readInstallable(side.installable, tools);

async function readPublished(location: Location, { host, places }: SideTools): Promise<ComparedImage> {
  const { source, reference } = await places.openForReading(inFolder(location, host.cwd));
  try {
    const inspection = await inspectImage(source, reference);
    return {
      reference: inspection.reference,
      digest: inspection.digest,
      images: inspection.images.map(contentsOf),
    };
  } finally {
    await source.close();
  }
}

/** The closure of each system, which Nix or a substituter knows; what neither does is built. */
async function readInstallable(installable: Installable, { host, nix: open }: SideTools): Promise<ComparedImage> {
  const nix = await open();
  const { systems, imageFor } = await evaluateImages(nix, installable, { systems: SYSTEMS });
  const images: ComparedImage['images'][number][] = [];
  // Of one that no system has, the first says what is there instead.
  for (const system of systems.length > 0 ? systems : SYSTEMS) {
    const image = await imageFor(system);
    if (image.kind === 'tool-image') {
      throw new UserError(
        'input',
        `${installableText(installable)} is an image of another tool, whose content is not known before it is built`,
        {
          hint: 'Build it (nix-images build), and name what came out.',
        },
      );
    }
    const { closure } = await readImageClosure(nix, image.definition, await host.tempDir());
    const paths = closure.map(({ path, narSize }) => ({ path, size: narSize }));
    images.push({ platform: platformText(platformOf(system)), digest: null, layers: null, paths });
  }
  return { reference: installableText(installable), digest: null, images };
}
