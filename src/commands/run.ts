import { UserError } from '../core/error.ts';
import { findEngine } from '../engine/find-engine.ts';
import { runWords } from '../engine/run-words.ts';
import { defineCommand } from '../host/command.ts';
import { lines } from '../host/fields.ts';
import { loadImage, loadInputs } from './loading.ts';

/** `8080:80`, `127.0.0.1:8080:80/udp`. */
const PUBLISH = /^(?:[\w.[\]:]+:)?\d{1,5}:\d{1,5}(?:\/(?:tcp|udp|sctp))?$/;

function parsePublish(text: string): string {
  if (PUBLISH.test(text)) return text;
  throw new UserError('input', `${JSON.stringify(text)} is not a valid pair of ports`, {
    hint: 'Write it as HOST:CONTAINER, such as 8080:80 or 8053:53/udp.',
  });
}

export const run = defineCommand({
  name: 'run',
  summary: 'Build an image, load it and start a container of it.',
  description:
    'As `load`, and then the container runs on this terminal until it ends, with the ports and volumes that its definition names: ports on the loopback address, and ' +
    'volumes that keep their content. It is removed when it ends. Words after `--` are its arguments.',
  faces: 'cli',
  inputs: {
    ...loadInputs,
    publish: lines({
      description:
        "Port of this machine for one of the container's, as HOST:CONTAINER. Default: the same number for each port of the definition, on 127.0.0.1.",
      placeholder: 'HOST:CONTAINER',
      short: 'p',
      parse: parsePublish,
    }),
    args: lines({
      description: 'What the container is started with, after its entrypoint. Default: what its definition says.',
      placeholder: 'ARGS',
      verbatim: true,
      positional: true,
    }),
  },
  outputs: {},
  async run(inputs, host) {
    const { attach } = host;
    if (!attach) throw new TypeError('run is a command of a terminal');
    const engine = await findEngine(inputs.engine, true, host.exec);
    // Beside a file there is no installable, so the first word is an argument too.
    const { file, publish, namespace } = inputs;
    const args = [...(file === undefined ? [] : [inputs.installable ?? []]), inputs.args].flat();
    const installable = file === undefined ? inputs.installable : undefined;
    const { image, repository, config } = await loadImage({ ...inputs, installable }, engine, host);
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
    const words = runWords(engine, { image, repository, config, publish, namespace, isTerminal, args });
    if (!words)
      throw new UserError('input', `${engine.name} runs no containers by itself`, {
        hint: 'Name another engine with --engine.',
      });
    const [program, ...rest] = words;
    host.log.debug(words.join(' '));
    return { image, engine: engine.name, exitCode: await attach(program, rest, engine.env) };
  },
  present: ({ image, engine, exitCode }) => ({
    outputs: {},
    exitCode,
    data: { schemaVersion: 1, image, engine, exitCode },
    text: '',
  }),
});
