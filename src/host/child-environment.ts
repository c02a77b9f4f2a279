import { UserError } from '../core/error.ts';

/** Names of variables; one that ends in `*` stands for all that begin so. */
type Names = readonly string[];

/** What any program may need to find its files and speak the user's language. */
const PLAIN: Names = ['PATH', 'TMPDIR', 'TMP', 'TEMP', 'LANG', 'LANGUAGE', 'LC_*', 'LOCALE_ARCHIVE', 'TZ', 'TZDIR'];

/** Who runs it, where that user's configuration lies, and what the terminal is like. */
const USER: Names = ['HOME', 'USER', 'LOGNAME', 'SHELL', 'XDG_*', 'DBUS_SESSION_BUS_ADDRESS', 'TERM', 'NO_COLOR'];

/** Proxies in both cases (curl reads `http_proxy` in lower case only) and certificates, as curl, Go, git and Python name them. */
const NETWORK: Names = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
];

/** Fetchers of Nix run git and ssh, and stores in S3 take AWS's credentials from the environment. */
const NIX: Names = [
  ...['NIX_*', '_NIX_*', 'NIXPKGS_*', 'GIT_*', 'SSH_*', 'NETRC', 'GNUPGHOME', 'AWS_*', 'IN_SYSTEMD', 'CLICOLOR_FORCE'],
];

/** podman's own marks of a user namespace begin with an underscore: without them it would enter a second one. */
const CONTAINERS: Names = [
  ...['DOCKER_*', 'CONTAINER_*', 'CONTAINERS_*', '_CONTAINERS_*', 'PODMAN_*', 'BUILDAH_*', 'STORAGE_*', 'SSH_*'],
  ...['REGISTRY_AUTH_FILE', 'REGISTRIES_CONFIG_PATH'],
];

/** Where its daemon listens, and the namespace. */
const CONTAINERD: Names = ['CONTAINERD_*', 'NERDCTL_*', 'CNI_*', 'DOCKER_CONFIG'];

/** Helpers get a token from a cloud's own credentials, or unlock a password store. */
const HELPERS: Names = [
  ...['DOCKER_*', 'REGISTRY_AUTH_FILE', 'AWS_*', 'GOOGLE_*', 'CLOUDSDK_*', 'GCE_*', 'AZURE_*', 'MSI_*', 'IDENTITY_*'],
  ...['OCI_*', 'ALIBABA_*', 'DISPLAY', 'WAYLAND_DISPLAY', 'GNUPGHOME', 'GPG_TTY', 'PASSWORD_STORE_*', 'SSH_*'],
];

/** What programs get beside `PLAIN` and `USER`; those that are not named need no more. */
const BY_PROGRAM: readonly { readonly program: RegExp; readonly names: Names }[] = [
  { program: /^nix(-store)?$/, names: [...NETWORK, ...NIX] },
  { program: /^git$/, names: [...NETWORK, 'GIT_*', 'SSH_*', 'GNUPGHOME'] },
  { program: /^(podman|docker)$/, names: [...NETWORK, ...CONTAINERS] },
  { program: /^(nerdctl|ctr)$/, names: [...NETWORK, ...CONTAINERD] },
  { program: /^docker-credential-/, names: [...NETWORK, ...HELPERS] },
];

/**
 * What nobody gets, whatever else is said: inputs, secrets among them (docs.github.com, "Metadata syntax"; `NIX_IMAGES_TOKEN`
 * on the command line), the tokens and addresses of the runner's services, and the files by which a step speaks to the runner.
 */
const NEVER = /^(?:INPUT_|ACTIONS_|NIX_IMAGES_|GITHUB_(?:OUTPUT|ENV|PATH|STATE|STEP_SUMMARY)$)/;

/** Variable in which the user names more that programs get, for impure evaluations and helpers of a site's own. */
const KEEP_ENV = 'NIX_IMAGES_KEEP_ENV';

const isIn = (names: Names, name: string): boolean =>
  names.some((known) => (known.endsWith('*') ? name.startsWith(known.slice(0, -1)) : name === known));

/** The names in `NIX_IMAGES_KEEP_ENV`. Throws UserError `input` for one that is never passed on. */
function keptNames(text: string): Names {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  for (const name of names) {
    if (/^\w+\*?$/.test(name) && !NEVER.test(name)) continue;
    throw new UserError('input', `${KEEP_ENV} names ${JSON.stringify(name)}, which is not passed on`, {
      hint: 'It takes names of variables, each with * at its end if wanted; inputs and what belongs to the runner stay here.',
      docs: 'environment.md',
    });
  }
  return names;
}

interface ChildKind {
  /** As it is started, with or without its folder. */
  readonly program: string;
  /** Whether a stranger wrote it: it gets `PLAIN` alone, whatever the user keeps. */
  readonly isolated: boolean;
}

/**
 * The environment of a program that this one starts: what is on the list for it (docs/environment.md), and what the user
 * adds. Flakes of others are evaluated by these programs, and an image may be printed by a program of its own maker; none of
 * whom is to read the step's secrets or speak to the runner in its name. Throws UserError `input` as `keptNames` does.
 */
export function childEnvironment(
  environment: NodeJS.ProcessEnv,
  { program, isolated }: ChildKind,
): Record<string, string> {
  const name = program.slice(program.lastIndexOf('/') + 1);
  const own = BY_PROGRAM.find((entry) => entry.program.test(name))?.names ?? [];
  const names = isolated ? PLAIN : [...PLAIN, ...USER, ...own, ...keptNames(environment[KEEP_ENV] ?? '')];
  return Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !NEVER.test(entry[0]) && isIn(names, entry[0]),
    ),
  );
}
