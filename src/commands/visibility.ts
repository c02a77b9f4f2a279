import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { codeMarkdown } from '../core/markdown.ts';
import { readPayload } from '../github/event.ts';
import type { Host } from '../host/host.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { PublishedTarget } from '../publish/target.ts';
import { parseLocation } from '../storage/location.ts';
import { originOf } from '../storage/registry/endpoint.ts';
import { GITHUB_REGISTRY } from './logins.ts';

/** Who may pull a package of GitHub's registry. */
export interface PackageVisibility {
  /** `ghcr.io/org/app` */
  readonly name: string;
  readonly isPublic: boolean;
  /** The page on which that is changed; undefined where it is not known whether the owner is an organization. */
  readonly settings: string | undefined;
}

/** What is published, and what is known of where. */
interface Asked {
  readonly targets: readonly PublishedTarget[];
  /** Of what was published. */
  readonly digest: string;
  readonly plainHttp: readonly string[];
}

/** Milliseconds that the answer is worth waiting for: it is a note in the summary. */
const PATIENCE = 5_000;

const REFUSED = [401, 403];

const tokenSchema = z.looseObject({ token: z.string().min(1) });

/**
 * Whether the packages at ghcr.io that a run of a workflow has published may be pulled by anybody, as somebody without a login
 * sees it. What cannot be found out is left out; nothing is tried again, and nothing fails for it.
 */
export async function packageVisibility({ targets, ...asked }: Asked, host: Host): Promise<PackageVisibility[]> {
  if (host.kind !== 'runner') return [];
  const names = targets.filter(({ kind }) => kind === 'registry').map(({ name }) => name);
  const found = await Promise.all(
    [...new Set(names)].map(async (name) => {
      const place = parseLocation(name);
      if (place.kind !== 'registry' || place.reference.host !== GITHUB_REGISTRY) return [];
      const { repository } = place.reference;
      const isPublic = await mayAnybodyPull(repository, asked, host).catch(() => undefined);
      if (isPublic === undefined) return [];
      return [{ name: `${GITHUB_REGISTRY}/${repository}`, isPublic, settings: await settingsPage(repository, host) }];
    }),
  );
  return found.flat();
}

/**
 * As reported in 2026, a private package is refused with the token (401), or with the manifest (403). Undefined where there was
 * no answer to that, such as a 404 of what GitHub does not show yet.
 */
async function mayAnybodyPull(
  repository: string,
  { digest, plainHttp }: Pick<Asked, 'digest' | 'plainHttp'>,
  { fetch, log, signal }: Host,
): Promise<boolean | undefined> {
  const origin = originOf(GITHUB_REGISTRY, plainHttp);
  const limited = {
    redirect: 'manual' as const,
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
  };
  const scope = encodeURIComponent(`repository:${repository}:pull`);
  const granted = await fetch(`${origin}/token?service=${GITHUB_REGISTRY}&scope=${scope}`, limited);
  const token = tryDecodeJson(await granted.text(), tokenSchema)?.token;
  if (REFUSED.includes(granted.status)) return false;
  if (!granted.ok || token === undefined) return undefined;
  log.mask(token, 'server');
  const { status } = await fetch(`${origin}/v2/${repository}/manifests/${digest}`, {
    ...limited,
    method: 'HEAD',
    headers: { authorization: `Bearer ${token}`, accept: [MEDIA_TYPE.index, MEDIA_TYPE.dockerIndex].join(', ') },
  });
  return status === 200 ? true : REFUSED.includes(status) ? false : undefined;
}

/** The event says what the owner of the run's repository is, whose packages these mostly are. */
async function settingsPage(repository: string, { env }: Host): Promise<string | undefined> {
  const [owner = '', ...name] = repository.split('/');
  const payload = await readPayload({ env, readFile: (path) => readFile(path, 'utf8') }).catch(() => undefined);
  const { login, type } = payload?.repository?.owner ?? {};
  if (login?.toLowerCase() !== owner || type === undefined) return undefined;
  const whose = `${type === 'Organization' ? 'orgs' : 'users'}/${encodeURIComponent(login)}`;
  return `https://github.com/${whose}/packages/container/${encodeURIComponent(name.join('/'))}/settings`;
}

/** The same as Markdown, a line for each package. */
export const visibilityLines = (packages: readonly PackageVisibility[]): string =>
  packages.map((one) => `${visibilityLine(one)}\n`).join('');

function visibilityLine({ name, isPublic, settings }: PackageVisibility): string {
  const said = isPublic
    ? `${codeMarkdown(name)} is public: anybody may pull it.`
    : `${codeMarkdown(name)} is not public: only those may pull it who log in and have access.`;
  return settings === undefined ? said : `${said} [Settings of the package](${settings})`;
}
