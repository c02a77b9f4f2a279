import type { Digest } from '../oci/digest.ts';

/** What keeps images on this machine and runs them. */
export const ENGINES = ['podman', 'docker', 'nerdctl', 'containerd'] as const;

export type EngineName = (typeof ENGINES)[number];

/** An image to bring to an engine. */
export interface ImageToLoad {
  /** Where it is pulled from, by a name that nothing else has: `127.0.0.1:41234/team/web:id-…`. */
  readonly from: string;
  /** What it is to be called: `team/web:v1`. */
  readonly name: string;
  /** `linux/amd64`. */
  readonly platform: string;
  /** What engines know it by: its manifest, or its config where they keep no manifests. */
  readonly ids: readonly Digest[];
  /** Of containerd. Default: nerdctl's own, or that of Kubernetes. */
  readonly namespace: string | undefined;
}

/** Program and arguments; never a shell. */
export type Argv = readonly [program: string, ...args: string[]];

/** How an engine is asked, as plain data. */
export interface Engine {
  readonly name: EngineName;
  /** Ends with 0 where it can be used; a client whose daemon or virtual machine is not there does not. */
  readonly probe: Argv;
  /** Variables that are set for it. */
  readonly env: Readonly<Record<string, string>>;
  /** How a person gets it. */
  readonly install: string;
  /** How a person starts what its client asks, and finds out what that is. */
  readonly start: string;
  /** What it calls an image: a name without a host is completed. */
  fullName(name: string): string;
  /** Prints what it has under the image's own name: a digest, or its digits. */
  find(image: ImageToLoad): Argv;
  /** Fetches the layers that it does not have. */
  pull(image: ImageToLoad): Argv;
  tag(image: ImageToLoad): Argv;
  /** Forgets the name by which it was pulled, not the image. */
  forget(image: ImageToLoad): Argv;
  /** Reads an archive from standard input that says what the image is called. */
  load(image: ImageToLoad): Argv;
  /** The same from a file, for one that does not take every standard input. */
  readonly loadFile?: (image: ImageToLoad, file: string) => Argv;
  /** The program and options before `run`; undefined for one that runs nothing by itself. */
  readonly run: ((namespace: string | undefined) => Argv) | undefined;
}

/** Where kubelets look for images. */
const KUBERNETES = 'k8s.io';

const podman: Engine = {
  name: 'podman',
  // Of both versions: the client's alone is known without the machine that it asks.
  probe: ['podman', 'version', '--format', '{{.Client.Version}}'],
  // This registry wants no credentials, and podman refuses to start where these name a file that is not there.
  env: { DOCKER_CONFIG: '', REGISTRY_AUTH_FILE: '' },
  install: 'apt install podman, dnf install podman, or nix profile install nixpkgs#podman',
  start: 'podman machine start; podman system connection list says which is asked',
  fullName: (name) => `localhost/${name}`,
  pull: ({ from, platform }) => [
    ...(['podman', 'pull', '--quiet', '--tls-verify=false', `--platform=${platform}`] as const),
    `docker://${from}`,
  ],
  tag: ({ from, name }) => ['podman', 'tag', from, podman.fullName(name)],
  forget: ({ from }) => ['podman', 'untag', from, from],
  find: ({ name }) => ['podman', 'image', 'inspect', '--format', '{{.Id}}', podman.fullName(name)],
  load: () => ['podman', 'load', '--quiet'],
  run: () => ['podman', 'run'],
};

/** Registries on the loopback address need no TLS there, without any setting. */
const docker: Engine = {
  name: 'docker',
  probe: ['docker', 'version', '--format', '{{.Server.Version}}'],
  env: {},
  install: 'https://docs.docker.com/engine/install',
  start: 'systemctl start docker, or Docker Desktop; docker context ls says which is asked',
  fullName: (name) => name,
  pull: ({ from, platform }) => ['docker', 'pull', '--quiet', `--platform=${platform}`, from],
  tag: ({ from, name }) => ['docker', 'tag', from, name],
  forget: ({ from }) => ['docker', 'rmi', '--no-prune', from],
  find: ({ name }) => ['docker', 'image', 'inspect', '--format', '{{.Id}}', name],
  load: () => ['docker', 'load', '--quiet'],
  run: () => ['docker', 'run'],
};

const CONTAINERD_START = 'systemctl start containerd; CONTAINERD_ADDRESS says which is asked';

const nerdctlIn = (namespace: string | undefined): Argv =>
  namespace === undefined ? ['nerdctl'] : ['nerdctl', '--namespace', namespace];

const nerdctl: Engine = {
  name: 'nerdctl',
  probe: ['nerdctl', 'info', '--format', '{{.ServerVersion}}'],
  env: {},
  install: 'https://github.com/containerd/nerdctl/releases',
  start: CONTAINERD_START,
  fullName: (name) => name,
  pull: ({ from, platform, namespace }) => [
    ...nerdctlIn(namespace),
    ...['pull', '--quiet', '--insecure-registry', `--platform=${platform}`, from],
  ],
  tag: ({ from, name, namespace }) => [...nerdctlIn(namespace), 'tag', from, name],
  forget: ({ from, namespace }) => [...nerdctlIn(namespace), 'rmi', from],
  find: ({ name, namespace }) => [...nerdctlIn(namespace), 'image', 'inspect', '--format', '{{.Id}}', name],
  load: ({ platform, namespace }) => [...nerdctlIn(namespace), 'load', `--platform=${platform}`],
  loadFile: (image, file) => [...nerdctl.load(image), `--input=${file}`],
  run: (namespace) => [...nerdctlIn(namespace), 'run'],
};

/** containerd by its own client: what Kubernetes on this machine starts from. */
const containerd: Engine = {
  name: 'containerd',
  probe: ['ctr', 'version'],
  env: {},
  install: 'apt install containerd',
  start: CONTAINERD_START,
  // Kubelets ask for the whole name, where docker's client would add this in front of it.
  fullName: (name) => (name.includes('/') ? `docker.io/${name}` : `docker.io/library/${name}`),
  pull: ({ from, platform, namespace }) => [
    ...ctrIn(namespace),
    ...['pull', '--plain-http', '--platform', platform, from],
  ],
  tag: ({ from, name, namespace }) => [...ctrIn(namespace), 'tag', '--force', from, containerd.fullName(name)],
  forget: ({ from, namespace }) => [...ctrIn(namespace), 'rm', from],
  find: ({ name, namespace }) => [...ctrIn(namespace), 'ls', `name==${containerd.fullName(name)}`],
  load: ({ platform, namespace }) => [...ctrIn(namespace), 'import', '--platform', platform, '-'],
  run: undefined,
};

const ctrIn = (namespace: string = KUBERNETES): Argv => ['ctr', '--namespace', namespace, 'images'];

/** In the order in which they are looked for: podman needs no daemon and no rights. */
export const ALL_ENGINES: readonly Engine[] = [podman, docker, nerdctl, containerd];
