import type { ContainerConfig } from '../oci/container-config.ts';
import type { Argv, Engine } from './engine.ts';

interface ContainerToRun {
  /** As the engine knows it. */
  readonly image: string;
  /** Repository of the image, of which names of volumes are made. */
  readonly repository: string;
  readonly config: Pick<ContainerConfig, 'ExposedPorts' | 'Volumes'>;
  /** `HOST:CONTAINER` for ports that are to be others on this machine. */
  readonly publish: readonly string[];
  readonly namespace: string | undefined;
  /** `linux/arm64`, where it is not this machine's: engines warn of one that nobody named. */
  readonly platform: string | undefined;
  readonly isTerminal: boolean;
  /** Of the engine's own `run`. */
  readonly engineArg: readonly string[];
  /** What it is started with, after its entrypoint. */
  readonly args: readonly string[];
}

/**
 * Starts a container of an image with its own ports, on the loopback address, and volumes, which keep their content from one run to the
 * next. Undefined for an engine that runs nothing.
 */
export function runWords(engine: Engine, container: ContainerToRun): Argv | undefined {
  const { image, config, namespace, platform, isTerminal, engineArg, args } = container;
  const [program, ...before] = engine.run?.(namespace) ?? [];
  if (program === undefined) return undefined;
  return [
    program,
    ...before,
    ...['--rm', '--interactive', '--pull=never'],
    ...(platform === undefined ? [] : [`--platform=${platform}`]),
    ...(isTerminal ? ['--tty'] : []),
    ...portFlags(container),
    ...Object.keys(config.Volumes ?? {}).map((path) => `--volume=${volumeOf(container, path)}:${path}`),
    ...engineArg,
    image,
    ...args,
  ];
}

/** Ports of the definition, each by its own number unless another one is asked for, and what is asked for beside them. */
function portFlags({ config, publish }: ContainerToRun): string[] {
  const asked = publish.map((pair) => {
    const at = pair.lastIndexOf(':');
    const port = pair.slice(at + 1);
    return { host: pair.slice(0, at), port: port.includes('/') ? port : `${port}/tcp` };
  });
  const own = Object.keys(config.ExposedPorts ?? {}).map((port) => (port.includes('/') ? port : `${port}/tcp`));
  const others = own.filter((port) => !asked.some((one) => one.port === port));
  return [...asked, ...others.map((port) => ({ host: port.slice(0, port.indexOf('/')), port }))].map(
    ({ host, port }) => `--publish=${host.includes(':') ? host : `127.0.0.1:${host}`}:${port}`,
  );
}

/** `team-web-var-data` for /var/data. */
const volumeOf = ({ repository }: ContainerToRun, path: string): string =>
  `${repository}${path}`.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/-+$/, '');
