import { z } from 'zod';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const index = z.object({ manifests: z.array(z.object({ digest: z.string() })) });
const manifest = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});

/** Puts the image of `from` under the tag in each of the repositories `to` of the same registry, blobs by mounts. */
export async function copyImage(host: string, from: string, to: readonly string[], tag: string): Promise<void> {
  const ask = async (path: string, options: RequestInit = {}): Promise<string> => {
    const answer = await fetch(`http://${host}/v2/${path}`, options);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${options.method ?? 'GET'} ${path}: ${answer.status} ${text}`);
    return text;
  };
  const get = (reference: string, accept: string) => ask(`${from}/manifests/${reference}`, { headers: { accept } });
  const top = await get(tag, INDEX);
  const digests = index.parse(JSON.parse(top)).manifests.map(({ digest }) => digest);
  const manifests = await Promise.all(digests.map((digest) => get(digest, MANIFEST)));
  const blobs = manifests.flatMap((text) => {
    const { config, layers } = manifest.parse(JSON.parse(text));
    return [config, ...layers].map(({ digest }) => digest);
  });
  const put = (path: string, type: string, body: string) =>
    ask(path, { method: 'PUT', headers: { 'content-type': type }, body });
  for (const repository of to) {
    await Promise.all(
      blobs.map((digest) => ask(`${repository}/blobs/uploads/?mount=${digest}&from=${from}`, { method: 'POST' })),
    );
    await Promise.all(manifests.map((text, at) => put(`${repository}/manifests/${digests[at]}`, MANIFEST, text)));
    await put(`${repository}/manifests/${tag}`, INDEX, top);
  }
}
