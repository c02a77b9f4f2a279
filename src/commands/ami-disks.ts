import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isDiskPart } from '../publish/platform-input.ts';
import type { Location } from '../storage/location.ts';
import type { AmiDisk, AmiDisks } from './ami-disk.ts';
import { type DiskFileLine, fileDisk } from './ami-file.ts';
import { handedOverDisk, publishedDisks } from './ami-published.ts';
import { handoverCollector } from './collecting.ts';
import { jobOf } from './github.ts';
import { parsePlace } from './naming.ts';
import { inFolder, type Places } from './places.ts';

/** A disk as a person names it. */
type DiskLine = DiskFileLine | { readonly kind: 'place'; readonly location: Location };

const FILE = /^(?:\.{0,2}\/)|\.(?:raw|img|vhd|qcow2)(?:\.(?:zst|gz|xz))?$/i;

/** Reads `SYSTEM=FILE`, a file by its path or name, or the place of a published disk. Throws UserError `reference`. */
export function parseDiskLine(text: string): DiskLine {
  for (const system of SYSTEMS) {
    const start = `${system}=`;
    if (text.startsWith(start)) return { kind: 'file', system, path: text.slice(start.length) };
  }
  if (FILE.test(text) && !/^(?:oci|oci-archive|docker-archive|docker):/.test(text))
    return { kind: 'file', system: undefined, path: text };
  return { kind: 'place', location: parsePlace(text) };
}

interface DiskInputs {
  readonly from: readonly string[];
  readonly disks: readonly DiskLine[];
  readonly system: readonly System[];
  readonly bootMode: BootMode | undefined;
  readonly image: string | undefined;
  readonly reuseFrom: readonly Location[];
}

/**
 * Opens what is named, or what the build jobs of this run handed over. Throws UserError `input` where there is nothing, and as the openers do.
 */
export async function openAmiDisks(inputs: DiskInputs, places: Places, host: Host): Promise<AmiDisks> {
  const { disks: named } = inputs;
  if (named.length === 0) return handedOver(inputs, places, host);
  if (inputs.from.length > 0) {
    throw new UserError('input', 'both disks and handovers are given', { hint: 'Deploy them one after the other.' });
  }
  const disks: AmiDisk[] = [];
  const sources: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    await Promise.allSettled(sources.map((source) => source.close()));
  };
  try {
    for (const line of named) {
      if (line.kind === 'file') {
        disks.push(await fileDisk(line, inputs.bootMode, host));
        continue;
      }
      const opened = await publishedDisks(inFolder(line.location, host.cwd), inputs.system, places, host);
      sources.push(opened.source);
      disks.push(...opened.disks);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const asked = disks.filter(({ system }) => inputs.system.length === 0 || inputs.system.includes(system));
  if (asked.length > 0) return { disks: asked, close };
  await close();
  throw new UserError('input', 'nothing of what is given is a disk for a system that is asked for', {
    hint: 'Name disks that publish has stored, or files; container images cannot be deployed.',
  });
}

async function handedOver(
  { from, image, system, reuseFrom }: DiskInputs,
  places: Places,
  host: Host,
): Promise<AmiDisks> {
  const job = await jobOf(host);
  if (job === undefined && from.length === 0) {
    throw new UserError('input', 'missing disk', {
      hint: 'Name a published disk, such as ghcr.io/org/server:v1, or a file: nix-images deploy-ami result/nixos.raw --region eu-central-1.',
    });
  }
  const { collect, close } = handoverCollector({ from, handovers: 'any', handoverDigest: [] }, job, host, places);
  try {
    const parts = await collect({ image, system, places: () => reuseFrom }, false);
    const disks = parts.flatMap((part) => (part.kind === 'handover' && isDiskPart(part) ? [part] : []));
    if (disks.length === 0)
      throw new UserError('handover', 'this run has handed over no disk', { hint: 'Name a published disk.' });
    return { disks: await Promise.all(disks.map((part) => handedOverDisk(part, places, host))), close };
  } catch (error) {
    await close();
    throw error;
  }
}
