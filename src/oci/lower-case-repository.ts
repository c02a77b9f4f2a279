/** Reference without scheme in four parts: host, path, tag, digest; the transports of files begin otherwise. */
const REGISTRY = /^(?<scheme>docker:\/\/)?(?<host>[^/]*\/)(?<path>[^@]*?)(?<tag>:[^/@:]*)?(?<digest>@.*)?$/s;

const FILE = /^(?!docker:\/\/)[a-z][a-z0-9-]*:(?![\d]+\/)/;

/**
 * A destination in a registry with its repository in lower case, which is all that a registry takes (distribution-spec,
 * "Pulling manifests"): `ghcr.io/MyOrg/App:V1` gives `ghcr.io/myorg/app:V1`. Hosts, tags, digests and files stay as they are.
 */
export function lowerCaseRepository(text: string): string {
  if (FILE.test(text)) return text;
  const { scheme = '', host = '', path = '', tag = '', digest = '' } = REGISTRY.exec(text)?.groups ?? {};
  return path === '' ? text : `${scheme}${host}${path.toLowerCase()}${tag}${digest}`;
}
