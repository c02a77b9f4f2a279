import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { DiskThreads } from '../disk/disk-threads.ts';
import { dataBytes } from '../disk/extent.ts';
import { pullDisk } from '../disk-image/pull-disk.ts';
import { defineCommand } from '../host/command.ts';
import { choice, path } from '../host/fields.ts';
import { freeBytes } from '../machine/disk-space.ts';
import { isIndexType } from '../oci/media-type.ts';
import { platformOf, platformText, SYSTEMS } from '../oci/system.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { namedManifest } from '../storage/read-tag.ts';
import { inFolder, placesOf } from './places.ts';
import { imageReference, registryInputs } from './shared-inputs.ts';
import { systemHere } from './system-here.ts';

/** Threads that compare blocks: beyond four the file system is what one waits for. */
const MOST_THREADS = 4;

export const pull = defineCommand({
  name: 'pull',
  summary: 'Fetch a published disk into a raw file.',
  description:
    'Writes the disk with its holes, and compares every block with the digest that was published with it, before the file gets its name. Container images are fetched by `copy`.',
  inputs: {
    reference: imageReference,
    out: path({
      description: 'The raw file to write; one that is there is replaced.',
      placeholder: 'OUT',
      positional: true,
      required: true,
    }),
    system: choice(SYSTEMS, {
      description: "System that the disk boots, where there are several. Default: this machine's own.",
    }),
    ...registryInputs,
  },
  outputs: {
    path: 'The file.',
    digest: "Digest of the disk's manifest.",
    identity: 'Digest that tells the disk from any other.',
  },
  async run(inputs, host) {
    const places = await placesOf(host, inputs);
    const { source, reference } = await places.openForReading(inFolder(inputs.reference, host.cwd));
    try {
      const stored = await namedManifest(source, reference);
      const system = inputs.system ?? systemHere();
      const { manifest, platforms } = isIndexType(stored.mediaType)
        ? await imageForSystem(source, stored, system)
        : { manifest: stored, platforms: [] };
      if (manifest === undefined) {
        const has = [...new Set(platforms)].join(', ') || 'no platform';
        const wanted = platformText(platformOf(system));
        throw new UserError('platforms', `${source.name} ${reference} has no disk for ${wanted}, only for ${has}`, {
          hint: `Choose another system with --system: ${SYSTEMS.join(' or ')}.`,
        });
      }
      const file = resolve(host.cwd, inputs.out);
      const openThreads = () => new DiskThreads(host.program, Math.min(availableParallelism(), MOST_THREADS));
      const published = await pullDisk(source, manifest, file, { ...host, openThreads, free: freeBytes });
      return { path: inputs.out, digest: manifest.digest, published };
    } finally {
      await source.close();
    }
  },
  present: ({ path: out, digest, published: { config, layers } }) => {
    const { size, identity } = config;
    const data = dataBytes(layers.chunks);
    return {
      outputs: { path: out, digest, identity },
      data: { schemaVersion: 1, path: out, digest, identity, size, dataBytes: data },
      text: `${out}: a disk of ${sizeText(size)} with ${sizeText(data)} of data\nidentity ${identity}`,
    };
  },
});
