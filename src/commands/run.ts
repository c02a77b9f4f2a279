import { isatty } from 'node:tty';
import { UserError } from '../core/error.ts';
import { findEngine } from '../engine/find-engine.ts';
import { checkOwnPorts, checkPortPairs, parsePortPair } from '../engine/port-pair.ts';
import { runWords } from '../engine/run-words.ts';
import { defineCommand } from '../host/command.ts';
import { lines } from '../host/fields.ts';
import { platformOf, platformText } from '../oci/system.ts';
import { type LoadedImage, loadImage, loadInputs } from './loading.ts';
import { systemHere } from './system-here.ts';

/** Throws UserError `input` where neither the image nor the command line says what is to be started. */
function checkStarts(image: string, { hasCommand }: LoadedImage['config'], words: readonly string[]): void {
  if (hasCommand || words.length > 0) return;
  throw new UserError('input', `${image} has no Entrypoint and no Cmd, so there is nothing to start`, {
    hint: 'Write what is to be started after --, or set config.Entrypoint or config.Cmd in the definition.',
    docs: 'serve.md#load-and-run',
  });
}

export const run = defineCommand({
  name: 'run',
  summary: 'Build an image, load it and start a container of it.',
  description:
    'As `load`, and then the container runs on this terminal until it ends, with the ports and volumes that its definition names: ports on the loopback address, and ' +
    'volumes that keep their content. It is removed when it ends, and its exit code is that of the command. Words after `--` are its arguments.',
  faces: 'cli',
  inputs: {
    ...loadInputs,
    publish: lines({
      description:
        "Port of this machine for one of the container's, as HOST:CONTAINER. Default: the same number for each port of the definition, on 127.0.0.1.",
      placeholder: 'HOST:CONTAINER',
      short: 'p',
      parse: parsePortPair,
    }),
    engineArg: lines({
      description:
        "One more argument of the engine's own `run`, such as `--engine-arg=--env=LEVEL=debug`; several are given one by one.",
      placeholder: 'ARG',
    }),
    args: lines({
      description: 'What the container is started with, after its entrypoint. Default: what its definition says.',
      placeholder: '-- ARGS',
      verbatim: true,
      positional: true,
    }),
  },
  outputs: {},
  async run(inputs, host) {
    const { attach } = host;
    if (!attach) throw new TypeError('run is a command of a terminal');
    checkPortPairs(inputs.publish);
    const engine = await findEngine(inputs.engine, true, host.exec);
    // Beside a file there is no installable, so the first word is an argument too.
    const { file, publish, namespace, engineArg } = inputs;
    const args = [...(file === undefined ? [] : [inputs.installable ?? []]), inputs.args].flat();
    const installable = file === undefined ? inputs.installable : undefined;
    const { image, repository, config } = await loadImage({ ...inputs, installable }, engine, host);
    // Not by the streams: to open standard input would change it for the container, too.
    const isTerminal = isatty(0) && isatty(1);
    checkStarts(image, config, [...args, ...engineArg]);
    checkOwnPorts(publish, config);
    const { system = systemHere() } = inputs;
    const platform = system === systemHere() ? undefined : platformText(platformOf(system));
    const container = { image, repository, config, publish, namespace, platform, isTerminal, engineArg, args };
    const words = runWords(engine, container);
    if (!words)
      throw new UserError('input', `${engine.name} runs no containers by itself`, {
        hint: 'Name another engine with --engine.',
      });
    const [program, ...rest] = words;
    host.log.debug(words.join(' '));
    host.signal.throwIfAborted();
    return { image, engine: engine.name, exitCode: await attach(program, rest, engine.env) };
  },
  present: ({ image, engine, exitCode }) => ({
    outputs: {},
    exitCode,
    data: { schemaVersion: 1, image, engine, exitCode },
    text: '',
  }),
});
