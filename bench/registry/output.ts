import { type ImageManifest, indexSchema, manifestSchema } from '../../src/oci/manifest.ts';

/** How our own requests name themselves, so that they count for nobody. */
export const AGENT = 'nix-images-bench';

/** What was published, as far as anyone who pulls sees it. */
export interface Output {
  readonly layers: number;
  /** Sum of the layers as stored. */
  readonly bytes: number;
  readonly mediaTypes: readonly string[];
}

const ACCEPTED = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** The manifest of an image on a loopback registry; of an index, that of its first image. Throws when it is not there. */
async function manifestOf(host: string, repository: string, reference: string): Promise<ImageManifest> {
  const url = `http://${host}/v2/${repository}/manifests/${reference}`;
  const response = await fetch(url, { headers: { accept: ACCEPTED, 'user-agent': AGENT } });
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`);
  const body: unknown = await response.json();
  const index = indexSchema.safeParse(body);
  if (!index.success) return manifestSchema.parse(body);
  const [first] = index.data.manifests;
  if (first === undefined) throw new Error(`${url} is an index of nothing`);
  return manifestOf(host, repository, first.digest);
}

/** Looks at an image on a loopback registry; of an index, at its first image. Throws when it is not there. */
export async function readOutput(host: string, repository: string, reference: string): Promise<Output> {
  const { layers } = await manifestOf(host, repository, reference);
  return {
    layers: layers.length,
    bytes: layers.reduce((sum, layer) => sum + layer.size, 0),
    mediaTypes: [...new Set(layers.map((layer) => layer.mediaType))],
  };
}

/** The layers of an image on a loopback registry; of an index, those of its first image. Throws when it is not there. */
export async function layersOf(
  host: string,
  repository: string,
  reference: string,
): Promise<readonly { readonly digest: string; readonly size: number }[]> {
  return (await manifestOf(host, repository, reference)).layers;
}
