import { defineCommand } from '../host/command.ts';
import { flag } from '../host/fields.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { inspectionText } from '../inspect/report.ts';
import { inFolder, placesOf } from './places.ts';
import { imageReference, registryInputs } from './shared-inputs.ts';

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'Show an image: platforms, sizes, how it starts, and what is in its layers.',
  description:
    'Reads manifests and configs only, never layers. Works on images of other tools too, as far as they say what is in them.',
  inputs: {
    reference: imageReference,
    layers: flag({ description: 'List every layer, with the store paths in it.' }),
    ...registryInputs,
  },
  outputs: { digest: 'Digest of the index or image.' },
  async run(inputs, host) {
    const places = await placesOf(host, inputs);
    const { source, reference } = await places.openForReading(inFolder(inputs.reference, host.cwd));
    try {
      return { inspection: await inspectImage(source, reference), layers: inputs.layers };
    } finally {
      await source.close();
    }
  },
  present: ({ inspection, layers }) => ({
    outputs: { digest: inspection.digest },
    data: { schemaVersion: 1, ...inspection },
    text: inspectionText(inspection, { layers }),
  }),
});
