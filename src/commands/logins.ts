import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { isFilesPlace } from '../storage/files-location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import type { ConfigSource } from '../storage/registry/auth/keychain.ts';

/** GitHub's own registry: the one that takes a run's token, and whose user may be whoever started the run. */
export const GITHUB_REGISTRY = 'ghcr.io';

/** A host as in a reference, with a port if need be. */
function parseRegistry(given: string): string {
  const host = given.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(host)) return host.toLowerCase();
  throw new UserError('input', `${JSON.stringify(given)} is not the name of a registry`, {
    hint: 'Write its host, such as ghcr.io or registry.example.com:5000.',
  });
}

/** Inputs that log in to registries without docker's command line. */
export const loginInputs = {
  registry: text({
    description: 'Registry that `username` and `password` are for. Default: the one in `to`.',
    faces: 'action',
    parse: parseRegistry,
  }),
  username: text({
    description: 'User name for `password`. Default for ghcr.io: the actor of the run. Not a secret.',
    faces: 'action',
  }),
  password: secret({
    description: 'Password or token for `registry`. It counts before the logins that docker and podman remember.',
    faces: 'action',
  }),
  registryAuth: secret({
    description:
      'Logins for several registries: `REGISTRY USERNAME PASSWORD`, one per line, or the JSON of a `config.json` of docker.',
    faces: 'action',
  }),
} as const;

/** What a command's inputs say about logins. */
export interface LoginInputs {
  readonly registry?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly registryAuth?: string | undefined;
  /** Where the command publishes, which says whose password it is. */
  readonly to?: readonly LocationTemplate[] | LocationTemplate | undefined;
}

interface Entry {
  readonly username: string;
  readonly password: string;
}

const configText = (auths: Readonly<Record<string, Entry>>): string => JSON.stringify({ auths });

/**
 * The logins in the inputs, as files of docker would hold them. Every password is masked. Throws UserError `input` for a
 * password without a registry or user, and for lines that are not logins.
 */
export function loginSources(inputs: LoginInputs, { env, log }: Pick<Host, 'env' | 'log'>): ConfigSource[] {
  const { password, registryAuth } = inputs;
  const sources: ConfigSource[] = [];
  if (password !== undefined) {
    const registry = registryOf(inputs);
    const username = inputs.username ?? (registry === GITHUB_REGISTRY ? env('GITHUB_ACTOR') : undefined);
    if (username === undefined) {
      throw new UserError('input', `missing user name for ${registry}: only a password was given`, {
        hint: 'Give the input `username`.',
      });
    }
    const content = configText({ [registry]: { username, password } });
    sources.push({ name: 'the input `password`', read: async () => content });
  }
  if (registryAuth !== undefined) {
    const content = readAuth(registryAuth, log);
    sources.push({ name: 'the input `registry-auth`', read: async () => content });
  }
  return sources;
}

/** The registries that a command publishes to. */
function registriesOf({ to }: LoginInputs): string[] {
  const templates = (to === undefined ? [] : [to].flat()).filter(({ text }) => !isFilesPlace(text));
  const places = templates.map((template) => locationOf(template, 'name'));
  return [...new Set(places.flatMap((place) => (place.kind === 'registry' ? [place.reference.host] : [])))];
}

/** Whose password it is: never guessed, because a guess would send it to a stranger. */
function registryOf(inputs: LoginInputs): string {
  if (inputs.registry !== undefined) return inputs.registry;
  const [registry, ...others] = registriesOf(inputs);
  if (registry !== undefined && others.length === 0) return registry;
  const why = registry === undefined ? 'no registry' : `several registries (${[registry, ...others].join(', ')})`;
  throw new UserError('input', `a password was given, but the destinations name ${why}`, {
    hint: 'Give the input `registry`, or a login for each in `registry-auth`.',
  });
}

const LINES_HINT = 'Write REGISTRY USERNAME PASSWORD, one per line, or the JSON of a config.json of docker.';

const SECRETS = ['auth', 'password', 'identitytoken', 'registrytoken'] as const;

const configSchema = z.looseObject({
  auths: z.record(z.string(), z.looseObject(Object.fromEntries(SECRETS.map((name) => [name, z.string().optional()])))),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});

/** The text of a config.json. Messages never quote what was given, because it holds secrets. */
function readAuth(given: string, log: Pick<Log, 'mask' | 'warn'>): string {
  if (given.trimStart().startsWith('{')) return readJson(given, log);
  const auths: Record<string, Entry> = {};
  for (const [at, line] of given.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const [, registry = '', username = '', password = ''] = /^\s*(\S+)\s+(\S+)\s+(.*\S)\s*$/.exec(line) ?? [];
    if (password === '') {
      throw new UserError('input', `registry-auth: line ${at + 1} is not a login`, { hint: LINES_HINT });
    }
    log.mask(password);
    auths[parseRegistry(registry)] = { username, password };
  }
  return configText(auths);
}

function readJson(given: string, log: Pick<Log, 'mask' | 'warn'>): string {
  // No cause: the parser's message quotes the text.
  const config = tryDecodeJson(given, configSchema);
  if (config === undefined) {
    throw new UserError('input', 'registry-auth: the JSON does not have the shape of a config.json of docker', {
      hint: 'It is {"auths": {"REGISTRY": {"username": "…", "password": "…"}}}.',
    });
  }
  for (const [registry, entry] of Object.entries(config.auths)) {
    const secrets = SECRETS.flatMap((name) => entry[name] || []);
    // `docker login` with a store leaves an empty entry behind.
    if (secrets.length === 0) throw noPassword(registry);
    for (const secret of secrets) log.mask(secret);
  }
  const helped = Object.keys(config.credHelpers ?? {});
  if (helped.length > 0) log.warn(`registry-auth: credHelpers are not used: missing login for ${helped.join(', ')}`);
  // Only logins: a helper named here would be a program that a secret chooses.
  return JSON.stringify({ auths: config.auths });
}

const noPassword = (registry: string): UserError =>
  new UserError('input', `registry-auth: the entry for ${registry} has no password`, {
    hint: `With credsStore or credHelpers, docker keeps passwords in a program of the machine that it runs on. ${LINES_HINT}`,
    docs: 'registries.md#several-at-once',
  });

/**
 * That a registry which was named has a login; a run without secrets (a fork's, Dependabot's) builds and publishes nothing, so
 * there none is needed. Throws UserError `credentials`.
 */
export function checkNamed(registry: string | undefined, hasLogin: boolean, hasSecrets: boolean): void {
  if (registry === undefined || registry === GITHUB_REGISTRY || hasLogin || !hasSecrets) return;
  throw new UserError('credentials', `missing password for ${registry}`, {
    hint:
      'Give the input `password`; of the reusable workflow that is the secret `registry-password`. The token of the run is for ' +
      `${GITHUB_REGISTRY} alone.`,
    docs: 'registries.md#logins',
  });
}
