import { UserError } from '../core/error.ts';
import { sum } from '../core/sum.ts';
import type { Engine } from '../engine/engine.ts';
import { ENGINES } from '../engine/engine.ts';
import { loadIntoEngine } from '../engine/load-image.ts';
import { choice, type InputsOf, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { listed } from '../nix/not-image.ts';
import type { Digest } from '../oci/digest.ts';
import { platformOf, platformText, SYSTEMS } from '../oci/system.ts';
import { fixedTag } from '../serve/respond.ts';
import { servedArchive } from '../serve/served-archive.ts';
import type { ServedPlatform } from '../serve/served-image.ts';
import { openServing } from './serving.ts';
import { nixInputs, registryInputs, timingsInput } from './shared-inputs.ts';
import { systemHere } from './system-here.ts';

/** Inputs of the commands that bring one image to an engine. */
export const loadInputs = {
  installable: text({
    description: 'The image, as `FLAKE#NAME`.',
    placeholder: 'INSTALLABLE',
    positional: true,
  }),
  system: choice(SYSTEMS, { description: "System whose image is loaded. Default: this machine's own." }),
  engine: choice(['auto', ...ENGINES], {
    description:
      'Program that gets the image: `auto` is the first of podman, docker, nerdctl and containerd that can be used.',
    default: 'auto',
  }),
  namespace: text({
    description:
      "Namespace of containerd. Default: nerdctl's own, and for `containerd` `k8s.io`, where Kubernetes looks.",
    placeholder: 'NAMESPACE',
  }),
  ...nixInputs,
  ...registryInputs,
  ...timingsInput,
} as const;

type LoadInputs = InputsOf<typeof loadInputs>;

/** An image that an engine has. */
export interface LoadedImage {
  /** As the engine knows it. */
  readonly image: string;
  readonly repository: string;
  readonly engine: Engine['name'];
  readonly digest: Digest;
  readonly config: ServedPlatform['config'];
  readonly layers: number;
  /** Layers that the engine did not have, and their bytes. */
  readonly sentLayers: number;
  readonly sentBytes: number;
}

/** Builds an image and has the engine pull it from this process, or read it where it cannot. Throws UserError as the build does, and as `loadIntoEngine`. */
export async function loadImage(inputs: LoadInputs, engine: Engine, host: Host): Promise<LoadedImage> {
  const system = inputs.system ?? systemHere();
  const settings = { address: '127.0.0.1', port: 0, token: undefined };
  const serving = await openServing({ ...inputs, system: [system], isFixed: true }, settings, host);
  try {
    const [repository, ...others] = serving.names;
    if (repository === undefined || others.length > 0) {
      throw new UserError('input', `${serving.text} has ${serving.names.length} images, and one is loaded at a time`, {
        hint: `Name one: ${others.length > 0 ? listed(serving.names.map(serving.installableOf)) : 'FLAKE#NAME'}.`,
      });
    }
    const found = await serving.find(repository);
    const platform = found?.platforms.find((each) => each.system === system);
    if (!found || !platform) throw new Error(`${repository} was served and is not there`);
    const { manifest } = platform;
    const image = {
      from: `${serving.host}/${repository}:${fixedTag(manifest.digest)}`,
      name: `${repository}:${found.tags[0]}`,
      platform: platformText(platformOf(system)),
      ids: [manifest.digest, platform.configDigest],
      namespace: inputs.namespace,
    };
    const { name, way } = await host.log.group(`Loading ${image.name} into ${engine.name}`, () =>
      loadIntoEngine(
        engine,
        image,
        { isFetched: () => serving.sent.size > 0, archive: (fullName) => servedArchive(platform, fullName) },
        host,
      ),
    );
    const { layers, config, blobs } = platform;
    const whole = layers.map((layer) => blobs.get(layer)?.descriptor.size ?? 0);
    const sent = way === 'read' ? whole : layers.flatMap((layer) => serving.sent.get(layer) ?? []);
    return {
      ...{ image: name, repository, engine: engine.name, digest: manifest.digest, config },
      ...{ layers: layers.length, sentLayers: sent.length, sentBytes: sum(sent) },
    };
  } finally {
    await serving.close();
  }
}
