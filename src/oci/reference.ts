import { UserError } from '../core/error.ts';
import { type Digest, isDigest } from './digest.ts';

/** Where an image is in a registry, fully spelled out: `docker.io` and `library/` are never left implied. */
export interface Reference {
  /** `ghcr.io`, `localhost:5000`, `[::1]:5000`; `docker.io` for Docker Hub. */
  readonly host: string;
  /** Path of the repository, without host: `library/debian`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const DOCKER_HUB = 'docker.io';

// docker's own aliases; all three name the same registry.
const HUB_ALIASES = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const HOST_NAME =
  /^(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*$/;
const IPV6 = /^\[[0-9a-fA-F:.]+\]$/;
export const REPOSITORY_PART = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const IS_REPOSITORY_PART = new RegExp(`^${REPOSITORY_PART}$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
// distribution/reference counts host and repository together; registries refuse more.
const NAME_LIMIT = 255;

/** distribution-spec: at most 128 letters, digits, `.`, `_`, `-`, not starting with `.` or `-`. */
export const isTag = (text: string): boolean => TAG.test(text);

const illegal = (value: string, part: string, hint: string): UserError =>
  new UserError('reference', `${JSON.stringify(value)} is not a valid image reference: ${part}`, { hint });

// A first part is a host only if it cannot be part of a repository name: docker's rule.
const looksLikeHost = (part: string): boolean =>
  part === 'localhost' || /[.:[]/.test(part) || part !== part.toLowerCase();

function checkHost(value: string, host: string): void {
  const port = /:(\d+)$/.exec(host.replace(IPV6, ''));
  const name = port ? host.slice(0, -port[0].length) : host;
  const hint = 'Write the host as ghcr.io, localhost:5000 or [::1]:5000.';
  if (port && (Number(port[1]) < 1 || Number(port[1]) > 65_535)) {
    throw illegal(value, `${port[1]} is not a port`, hint);
  }
  if (!HOST_NAME.test(name) && !IPV6.test(name)) throw illegal(value, `${JSON.stringify(host)} is not a host`, hint);
}

function checkRepository(value: string, host: string, repository: string): void {
  for (const part of repository.split('/')) {
    if (IS_REPOSITORY_PART.test(part)) continue;
    const lower = part.toLowerCase();
    throw illegal(
      value,
      part === ''
        ? 'a part of the repository name is empty'
        : `${JSON.stringify(part)} is not a valid part of a repository name`,
      part !== lower && IS_REPOSITORY_PART.test(lower)
        ? `Write it in lower case: ${lower}.`
        : 'Use lower-case letters and digits, with . _ __ or - between them.',
    );
  }
  if (host.length + 1 + repository.length > NAME_LIMIT) {
    throw illegal(value, `its name is longer than ${NAME_LIMIT} characters`, 'Shorten the name of the repository.');
  }
}

/** Throws UserError `reference` unless `tag` is legal. */
export function checkTag(tag: string, value: string = tag): void {
  if (isTag(tag)) return;
  throw new UserError('reference', `${JSON.stringify(tag)}${value === tag ? '' : ` of ${value}`} is not a valid tag`, {
    hint: 'A tag has at most 128 letters, digits, . _ - and starts with a letter, a digit or _.',
  });
}

/** The tag itself, once it is known to be legal. Throws UserError `reference`. */
export function parseTag(tag: string): string {
  checkTag(tag);
  return tag;
}

function splitTag(name: string): [string, string | undefined] {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? [name.slice(0, colon), name.slice(colon + 1)] : [name, undefined];
}

function splitHost(name: string): [string, string] {
  const slash = name.indexOf('/');
  if (slash > 0 && looksLikeHost(name.slice(0, slash))) return [name.slice(0, slash), name.slice(slash + 1)];
  return [DOCKER_HUB, name];
}

/**
 * Parses `[host[:port]/]repository[:tag][@digest]` and spells out what docker leaves implied.
 * Throws UserError `reference`, naming the part that is wrong.
 */
export function parseReference(value: string): Reference {
  const hint = 'Write it as ghcr.io/org/app:1.0, or with a digest as ghcr.io/org/app@sha256:….';
  if (value === '') throw illegal(value, 'it is empty', hint);
  if (/[\s\p{Cc}]/u.test(value)) throw illegal(value, 'it holds white space', hint);
  if (value.includes('://')) throw illegal(value, 'it is a URL', 'Leave out the scheme: ghcr.io/org/app:1.0.');
  const at = value.indexOf('@');
  const digest = at < 0 ? undefined : value.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw illegal(value, `${JSON.stringify(digest)} is not a digest`, 'A digest is sha256: and 64 hexadecimal digits.');
  }
  const [host, rest] = splitHost(at < 0 ? value : value.slice(0, at));
  const [path, tag] = splitTag(rest);
  if (tag !== undefined) checkTag(tag, value);
  checkHost(value, host);
  const isHub = HUB_ALIASES.includes(host.toLowerCase());
  const repository = isHub && !path.includes('/') ? `library/${path}` : path;
  if (path === '') throw illegal(value, 'the repository name is missing', hint);
  checkRepository(value, host, repository);
  return {
    host: isHub ? DOCKER_HUB : host.toLowerCase(),
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** `host/repository[:tag][@digest]`: what `parseReference` reads back to the same value. */
export const formatReference = ({ host, repository, tag, digest }: Reference): string =>
  `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;

/** As docker shows it: without `docker.io/library/`. */
export const familiarReference = (reference: Reference): string =>
  formatReference(reference).replace(/^docker\.io\/(library\/)?/, '');

/** Whether two names mean one image: podman adds a host to short names and docker leaves it out. */
export function isSameReference(a: string, b: string): boolean {
  try {
    return formatReference(parseReference(a)) === formatReference(parseReference(b));
  } catch {
    // A name that docker would not take either cannot be meant.
    return false;
  }
}
