import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { flag, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { type InspectedReferrer, inspectReferrers } from '../inspect/attached.ts';
import { inspectionSummary } from '../inspect/attached-report.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { inspectionText } from '../inspect/report.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import type { ImageSource } from '../storage/source.ts';
import { inFolder, placesOf } from './places.ts';
import { imageReference, registryInputs } from './shared-inputs.ts';

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'Show an image: platforms, sizes, how it starts, and what is in its layers.',
  description:
    'Reads manifests and configs only, of a disk the positions of its store paths too, never layers, and shows signatures and SBOMs too. Works on images of other tools too, as far as they say what is in them.',
  inputs: {
    reference: imageReference,
    layers: flag({ description: 'List every layer, with the store paths in it.' }),
    referrers: flag({
      description:
        'Show what refers to the image and its platforms, such as signatures and SBOMs (OCI 1.1, and cosign).',
      default: true,
    }),
    artifactType: text({
      description: 'Show only what refers to the image with this type, such as `application/spdx+json`.',
      placeholder: 'TYPE',
    }),
    ...registryInputs,
  },
  outputs: { digest: 'Digest of the index or image.' },
  async run(inputs, host) {
    const places = await placesOf(host, inputs);
    const { source, reference } = await places.openForReading(inFolder(inputs.reference, host.cwd));
    try {
      const inspection = await inspectImage(source, reference);
      const subjects = [inspection.digest, ...inspection.images.map(({ digest }) => digest)].filter(isDigest);
      const { artifactType, layers } = inputs;
      const referrers = inputs.referrers ? await attachedTo(source, subjects, artifactType, host) : null;
      return { inspection, referrers, layers };
    } finally {
      await source.close();
    }
  },
  present: ({ inspection, referrers, layers }) => ({
    outputs: { digest: inspection.digest },
    data: { schemaVersion: 1, ...inspection, referrers },
    text: inspectionText(inspection, { layers, referrers: referrers ?? [] }),
    summary: inspectionSummary(inspection, referrers ?? []),
  }),
});

/** What refers to an image; null where that cannot be told, which leaves all else worth showing. */
async function attachedTo(
  source: ImageSource,
  subjects: readonly Digest[],
  artifactType: string | undefined,
  { log }: Pick<Host, 'log'>,
): Promise<InspectedReferrer[] | null> {
  try {
    return await inspectReferrers(source, subjects, { artifactType, log });
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    log.warn(`cannot read what refers to the image: ${error.message}`);
    return null;
  }
}
