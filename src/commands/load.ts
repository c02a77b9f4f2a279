import { countText } from '../core/count.ts';
import { sizeText } from '../core/size.ts';
import { findEngine } from '../engine/find-engine.ts';
import { defineCommand } from '../host/command.ts';
import { type LoadedImage, loadImage, loadInputs } from './loading.ts';

/** Where an image is, in one line, with the digest of its manifest, which `podman images --digests` shows. */
const loadedText = ({ image, engine, digest, layers, sentLayers, sentBytes }: LoadedImage): string =>
  `${image} is in ${engine} as ${digest}: sent ${sentLayers} of ${countText(layers, 'layer')}, ${sizeText(sentBytes)}`;

export const load = defineCommand({
  name: 'load',
  summary: 'Build an image and load it into podman, docker or containerd.',
  description:
    'The engine pulls it from this process, so that only layers which it does not have are made and moved, without compression or an archive. It is ' +
    'called as its definition says.',
  faces: 'cli',
  inputs: loadInputs,
  outputs: {},
  async run(inputs, host) {
    const engine = await findEngine(inputs.engine, false, host.exec);
    return await loadImage(inputs, engine, host);
  },
  present: (loaded) => {
    const { image, engine, digest, layers, sentLayers, sentBytes } = loaded;
    return {
      outputs: {},
      data: { schemaVersion: 1, image, engine, digest, layers, sentLayers, sentBytes },
      text: loadedText(loaded),
    };
  },
});
