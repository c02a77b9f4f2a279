import { once } from 'node:events';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { choices, integer, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { secretVariable } from '../host/names.ts';
import { SYSTEMS } from '../oci/system.ts';
import { type OpenServing, openServing } from './serving.ts';
import { nixInputs, registryInputs } from './shared-inputs.ts';

/** Where registries on one's own machine are looked for. */
const USUAL_PORT = 5000;

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/** What a token must be like not to be found by trying, and to stand in a header. */
const TOKEN = /^[\w.~+/=-]{16,200}$/;

export const serve = defineCommand({
  name: 'serve',
  summary: 'Serve the images of a flake as a registry, made when they are pulled.',
  description:
    'A read-only registry on the loopback address, for podman, docker, kind, k3d, minikube, Tilt and Skaffold, until Ctrl-C. An image is evaluated, built and its ' +
    'layers read when it is first pulled; nothing is compressed or stored, for layers are plain tars that are made of the store while they are sent. After a ' +
    'change of the flake, the next pull by tag gets the new image; one that is broken leaves the last good one, and the error is shown. Each image has its own ' +
    'tag and `latest`.',
  faces: 'cli',
  inputs: {
    installable: text({
      description: 'One image as `FLAKE#NAME`, or a flake of which all images are served.',
      placeholder: 'INSTALLABLE',
      positional: true,
      default: '.',
    }),
    system: choices(SYSTEMS, {
      description:
        "System to serve, once for each. Default: all that an image has, this machine's own first; of the others those that Nix can build or fetch.",
      placeholder: 'SYSTEM',
    }),
    address: text({
      description: 'Address to listen on. One that is not of this machine alone needs a token.',
      placeholder: 'ADDRESS',
      default: '127.0.0.1',
    }),
    port: integer({
      description: 'Port to listen on; 0 is any that is free.',
      default: USUAL_PORT,
      min: 0,
      max: 65_535,
    }),
    readToken: secret({
      description:
        'Token that readers must send, as password of any user or as Bearer token; 16 characters at least. Default: none, and everybody on this machine may read.',
    }),
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {},
  async run(inputs, host) {
    const { address, port, readToken: token, file } = inputs;
    checkAccess(address, token);
    // A default does not count beside what is named.
    const installable = file !== undefined && inputs.installable === '.' ? undefined : inputs.installable;
    const serving = await openServing({ ...inputs, installable }, { address, port, token }, host);
    try {
      tell(serving, host);
      // One image is wanted for sure; of many, those that are pulled.
      const [first, ...others] = serving.names;
      if (first !== undefined && others.length === 0) await warmUp(first, serving, host);
      if (!host.signal.aborted) await once(host.signal, 'abort');
    } finally {
      await serving.close();
    }
    return { address: serving.host };
  },
  present: ({ address }) => ({
    outputs: {},
    data: { schemaVersion: 1, address },
    text: `${address} is no longer served`,
  }),
});

function checkAccess(address: string, token: string | undefined): void {
  if (token !== undefined && !TOKEN.test(token)) {
    throw new UserError('input', 'the token is not valid: expected 16 to 200 letters, digits and . _ ~ + / = -', {
      hint: 'Make one with openssl rand -hex 16.',
    });
  }
  if (token !== undefined || LOOPBACK.test(address)) return;
  throw new UserError('input', `${address} can be reached from other machines, so readers need a token`, {
    hint: `Set ${secretVariable('readToken')}, for instance to what openssl rand -hex 16 prints, and log in with it as password: docker login, podman login.`,
    docs: 'serve.md#kind-and-k3d',
  });
}

function tell({ host: address, text: what, names }: OpenServing, { log }: Host): void {
  log.info(`serving ${countText(names.length, 'image')} of ${what} at http://${address} until Ctrl-C`);
  for (const name of names) log.info(`podman pull --tls-verify=false ${address}/${name}`);
}

/** Makes an image before it is pulled. What goes wrong is told, and whoever pulls it gets it as the answer. */
async function warmUp(name: string, serving: OpenServing, { log }: Host): Promise<void> {
  try {
    await serving.find(name);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (error.code !== 'cancelled') log.warn(`${error.message}${error.hint ? ` (${error.hint})` : ''}`);
  }
}
