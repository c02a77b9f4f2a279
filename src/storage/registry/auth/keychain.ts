import { z } from 'zod';
import { decodeJson } from '../../../core/decode-json.ts';
import type { Effects } from '../../../core/effects.ts';
import { UserError } from '../../../core/error.ts';
import { systemCode } from '../../../core/file-error.ts';
import type { Log } from '../../../core/log.ts';
import { DOCKER_HUB } from '../../../oci/reference.ts';
import { hostAliases } from '../endpoint.ts';
import { ANONYMOUS, type Credential, type Keychain } from './credential.ts';
import { runHelper } from './credential-helper.ts';

// docker login writes Docker Hub's credentials under this key, for reasons of history.
const HUB_KEY = 'https://index.docker.io/v1/';

const entrySchema = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});

/** docker's `config.json` and podman's `auth.json`; both carry much else. */
const configSchema = z.looseObject({
  auths: z.record(z.string(), entrySchema).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

type Config = z.infer<typeof configSchema>;
type Entry = z.infer<typeof entrySchema>;

const HINT = 'Repair it, or remove it and log in again (docker login, podman login).';

const unreadable = (file: string, what: string, cause?: unknown): UserError =>
  new UserError('credentials', `cannot use ${file}: ${what}`, { hint: HINT, cause });

const parseConfig = (file: string, text: string): Config =>
  decodeJson(text, configSchema, { code: 'credentials', what: file, hint: HINT, isSecret: true });

/** The keys under which files hold a registry's credentials, the most telling first. */
function keysOf(host: string, repository: string): string[] {
  const parts = repository.split('/');
  // podman's auth.json may name a namespace or one repository.
  const pathsIn = (name: string) => parts.map((_, index) => [name, ...parts.slice(0, parts.length - index)].join('/'));
  return host === DOCKER_HUB
    ? [...pathsIn(host), HUB_KEY, 'index.docker.io', DOCKER_HUB, 'registry-1.docker.io']
    : hostAliases(host).flatMap((name) => [...pathsIn(name), name]);
}

// Old docker versions wrote URLs such as https://ghcr.io/v1/.
const bareKey = (key: string): string =>
  key === HUB_KEY
    ? key
    : withoutSlashes(key.replace(/^https?:\/\//, ''))
        .replace(/\/v[12]$/, '')
        .toLowerCase();

function withoutSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

function findKey(record: Readonly<Record<string, unknown>> | null | undefined, keys: readonly string[]) {
  const found = Object.keys(record ?? {});
  for (const key of keys) {
    const exact = found.find((candidate) => candidate === key) ?? found.find((candidate) => bareKey(candidate) === key);
    if (exact !== undefined) return exact;
  }
  return undefined;
}

function entryCredential(key: string, entry: Entry, file: string, log: Log): Credential | undefined {
  for (const secret of [entry.auth, entry.password, entry.identitytoken, entry.registrytoken]) {
    if (secret) log.mask(secret);
  }
  const origin = `the entry for ${key} in ${file}`;
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken, origin };
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken, origin };
  const plain = entry.auth ? Buffer.from(entry.auth, 'base64').toString('utf8') : undefined;
  const colon = plain?.indexOf(':') ?? -1;
  if (plain !== undefined && colon < 1) throw unreadable(file, `auth of ${key} is not base64 of user:password`);
  const username = plain?.slice(0, colon) ?? entry.username;
  // docker pads old entries with zero bytes.
  const password = plain?.slice(colon + 1).split('\0', 1)[0] ?? entry.password;
  // `docker login` with a store leaves an empty entry behind.
  if (!username || password === undefined) return undefined;
  if (password !== '') log.mask(password);
  return { kind: 'basic', username, password, origin: `${origin}, user ${username}` };
}

/** One config.json or auth.json. */
export interface ConfigSource {
  /** The file's absolute path, or whatever else names the source in messages. */
  readonly name: string;
  /** Rejects with ENOENT or ENOTDIR when there is no such file. */
  read(): Promise<string>;
}

interface KeychainOptions extends Pick<Effects, 'exec' | 'log'> {
  /** The first that knows a registry wins; those that do not exist are left out. */
  readonly configs: readonly ConfigSource[];
  readonly signal?: AbortSignal | undefined;
}

async function readConfig({ name, read }: ConfigSource): Promise<Config | undefined> {
  let text: string;
  try {
    text = await read();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(name, `it cannot be read (${String(code ?? error)})`, error);
  }
  return parseConfig(name, text);
}

/** The name that `docker login` gave to a store; it leaves an empty entry of that name behind. */
const storedName = (host: string, auths: Config['auths']): string =>
  hostAliases(host).find((name) => Object.hasOwn(auths ?? {}, name)) ?? host;

async function findInConfig(
  source: ConfigSource,
  keys: readonly string[],
  host: string,
  options: KeychainOptions,
): Promise<Credential | undefined> {
  const file = source.name;
  const config = await readConfig(source);
  if (config === undefined) return undefined;
  const helperKey = findKey(config.credHelpers, keys);
  const helper = (helperKey === undefined ? undefined : config.credHelpers?.[helperKey]) ?? config.credsStore;
  if (helper) {
    const server = helperKey ?? (host === DOCKER_HUB ? HUB_KEY : storedName(host, config.auths));
    const credential = await runHelper(helper, server, file, options);
    if (credential !== undefined) return credential;
  }
  const key = findKey(config.auths, keys);
  const entry = key === undefined ? undefined : config.auths?.[key];
  return key === undefined || entry === undefined ? undefined : entryCredential(key, entry, file, options.log);
}

/**
 * Credentials from docker's and podman's files and the credential helpers they name. Every secret is masked
 * before it is handed out. Files are read again for each registry, once per look-up.
 */
export const createKeychain = (options: KeychainOptions): Keychain => ({
  find: async (host, repository) => {
    const keys = keysOf(host, repository);
    for (const source of options.configs) {
      const credential = await findInConfig(source, keys, host, options);
      if (credential !== undefined) return credential;
    }
    return ANONYMOUS;
  },
});
