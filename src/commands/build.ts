import { join, resolve } from 'node:path';
import { buildFromNix } from '../build/build-from-nix.ts';
import type { BuiltImage } from '../build/build-image.ts';
import { writeHandover } from '../handover/handover.ts';
import type { HandoverLabel } from '../handover/label.ts';
import { defineCommand } from '../host/command.ts';
import { choice, path, text } from '../host/fields.ts';
import { platformOf, platformText, SYSTEMS } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { evaluateDefinition, systemsOf } from '../nix/evaluate.ts';
import { compressedSize } from '../publish/child.ts';
import { sizeText } from '../publish/report.ts';
import { formatDestination, parseDestination } from '../registry/destination.ts';
import { placesOf } from './places.ts';
import { nixInputs, registryInputs } from './shared-inputs.ts';
import { buildTools, installables, nixOf, systemHere } from './wiring.ts';

export const build = defineCommand({
  name: 'build',
  summary: 'Build one image for one system and leave a handover for publish.',
  description:
    'Realises the image with Nix and makes its layers. The handover is an OCI layout: with `to`, the layers go to that ' +
    'registry and the handover is a few kilobytes; without it, they are in the handover.',
  inputs: {
    installable: text({
      description: 'The image, as `FLAKE#NAME`.',
      placeholder: 'INSTALLABLE',
      positional: true,
    }),
    system: choice(SYSTEMS, { description: "System to build for; this machine's own unless given." }),
    to: text({
      description: 'Registry that gets the layers now, such as `ghcr.io/org/app`.',
      placeholder: 'DEST',
      parse: parseDestination,
    }),
    out: path({ description: 'Folder for the handover; `handover/NAME-SYSTEM` unless given.', placeholder: 'DIR' }),
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {
    handover: 'Folder of the handover.',
    name: 'Name of the image.',
    system: 'System it is built for.',
    digest: "Digest of the image's manifest.",
  },
  async run(inputs, host) {
    const [installable] = installables(inputs.installable ? [inputs.installable] : [], inputs.file, inputs.attr);
    if (!installable) {
      throw new UserError('input', 'no image is named', {
        hint: 'Write nix-images build FLAKE#NAME, for instance .#app.',
      });
    }
    const nix = await nixOf(host, inputs.nixArg);
    const fixed = installable.kind === 'flake' ? installable.system : undefined;
    const system = inputs.system ?? fixed ?? systemHere();
    const { definition } = await evaluateDefinition(nix, installable, system);
    const label: HandoverLabel = {
      version: 1,
      name: definition.name,
      tag: definition.tag,
      system,
      systems: [...(await systemsOf(nix, installable))],
      mode: inputs.to ? 'registry' : 'artifact',
      destination: inputs.to ? formatDestination(inputs.to) : null,
    };
    const folder = inputs.out ?? join('handover', `${definition.name.replaceAll('/', '-')}-${system}`);
    const places = await placesOf(host, inputs.plainHttp);
    const layout = places.openForWriting({ kind: 'oci', path: resolve(host.cwd, folder) });
    const layers = inputs.to ? places.openForWriting(inputs.to) : layout;
    try {
      const job = { definition, system, repositories: [layers] };
      const image = await buildFromNix(job, await buildTools(host, nix, places));
      await layers.close();
      await writeHandover(layout, image, label);
      return result(image, label, folder, layers.bytesSent);
    } catch (error) {
      await Promise.all([layers.abandon(), layout.abandon()]);
      throw error;
    }
  },
});

function result(image: BuiltImage, { name, system, mode }: HandoverLabel, handover: string, bytesSent: number) {
  const { digest } = image.manifest;
  const size = compressedSize(image.layers);
  return {
    outputs: { handover, name, system, digest },
    data: {
      schemaVersion: 1,
      name,
      system,
      platform: platformText(platformOf(system)),
      digest,
      layers: image.layers.length,
      compressedSize: size,
      handover,
      mode,
      bytesSent,
    },
    text: `${name} for ${system}: ${digest}, ${image.layers.length} layers, ${sizeText(size)}\nhandover in ${handover}`,
  };
}
