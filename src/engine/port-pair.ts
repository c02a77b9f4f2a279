import { UserError } from '../core/error.ts';
import type { ContainerConfig } from '../oci/container-config.ts';

/** A port of this machine for one of a container's. */
interface PortPair {
  /** Undefined: the loopback address. */
  readonly address: string | undefined;
  readonly host: number;
  readonly container: number;
  readonly protocol: string;
}

/** `8080:80`, `127.0.0.1:8080:80/udp`. */
const PAIR = /^(?:([\w.[\]:]+):)?(\d+):(\d+)(?:\/(tcp|udp|sctp))?$/;

/** The last port that TCP, UDP and SCTP have: 16 bits. */
const LAST = 65535;

const isPort = (port: number): boolean => port >= 1 && port <= LAST;

const HINT = `Write it as HOST:CONTAINER, such as 8080:80 or 8053:53/udp, each from 1 to ${LAST}.`;

function readPair(text: string): PortPair {
  const [, address, host, container, protocol = 'tcp'] = PAIR.exec(text) ?? [];
  if (host === undefined || container === undefined)
    throw new UserError('input', `${JSON.stringify(text)} is not a valid pair of ports`, { hint: HINT });
  return { address, host: Number(host), container: Number(container), protocol };
}

/** The text, if it is a pair of ports. Throws UserError `input` where it is not. */
export function parsePortPair(text: string): string {
  const { host, container } = readPair(text);
  const wrong = [host, container].find((port) => !isPort(port));
  if (wrong === undefined) return text;
  throw new UserError(
    'input',
    `${JSON.stringify(text)} is not a valid pair of ports: ${wrong} is not from 1 to ${LAST}`,
    {
      hint: HINT,
    },
  );
}

const EVERYWHERE: ReadonlySet<string | undefined> = new Set(['0.0.0.0', '[::]', '::']);

/** Whether both want one port of this machine. */
const collide = (a: PortPair, b: PortPair): boolean =>
  a.host === b.host &&
  a.protocol === b.protocol &&
  (addressOf(a) === addressOf(b) || EVERYWHERE.has(a.address) || EVERYWHERE.has(b.address));

const addressOf = ({ address = '127.0.0.1' }: PortPair): string => address;

/** Throws UserError `input` where two pairs want one port of this machine, as the engine would when all is built. */
export function checkPortPairs(texts: readonly string[]): void {
  for (const [at, text] of texts.entries()) {
    const twin = texts.slice(0, at).find((other) => collide(readPair(other), readPair(text)));
    if (twin === undefined) continue;
    const { host } = readPair(text);
    throw new UserError('input', `--publish: ${twin} and ${text} both want port ${host} of this machine`, {
      hint: 'Give each a port of its own before the colon, as in HOST:CONTAINER.',
    });
  }
}

/**
 * Throws UserError `input` where a pair wants the port of this machine that a port of the definition is published on: most often because the two
 * numbers are swapped.
 */
export function checkOwnPorts(
  texts: readonly string[],
  { ExposedPorts = {} }: Pick<ContainerConfig, 'ExposedPorts'>,
): void {
  const pairs = texts.map((text) => ({ text, ...readPair(text) }));
  for (const port of Object.keys(ExposedPorts)) {
    const [number = '', protocol = 'tcp'] = port.split('/');
    const own = { address: undefined, host: Number(number), container: Number(number), protocol };
    if (pairs.some(({ container, protocol: its }) => container === own.container && its === protocol)) continue;
    const taker = pairs.find((pair) => collide(pair, own));
    if (taker === undefined) continue;
    const { text, host, container } = taker;
    throw new UserError(
      'input',
      `--publish: ${text} takes port ${host} of this machine, on which the port ${port} of the definition is published`,
      {
        hint:
          `The port of this machine is the first of the two: ${container}:${own.container}/${protocol} publishes ${port} as ${container}. ` +
          `To publish both, add a pair for ${port} with another port of this machine.`,
      },
    );
  }
}
