import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../../src/core/error.ts';
import { type CommandLoaders, defineCommand } from '../../../src/host/command.ts';
import { choice, choices, flag, integer, lines, path, secret, text } from '../../../src/host/fields.ts';

const parseReference = (reference: string) => {
  if (reference.includes(' ')) throw new UserError('reference', 'must not contain spaces', { hint: 'Remove them.' });
  return { reference };
};

/** A command with every kind of input, which shows what it was given. */
export const everything = defineCommand({
  name: 'everything',
  summary: 'Show what was given.',
  description: 'First paragraph.\n\nSecond paragraph.',
  inputs: {
    installable: text({ description: 'What to build.', positional: true, required: true }),
    more: lines({ description: 'What else.', positional: true, placeholder: 'ELSE' }),
    to: text({ description: 'Where to.', default: 'oci:out', placeholder: 'DEST', parse: parseReference }),
    tag: lines({ description: 'Tags.' }),
    attribute: text({ description: 'Attribute.', short: 'A' }),
    system: choice(['x86_64-linux', 'aarch64-linux'], { description: 'System.' }),
    systems: choices(['x86_64-linux', 'aarch64-linux'], { description: 'Systems.' }),
    format: choice(['gzip', 'zstd'], { description: 'Codec.', default: 'gzip' }),
    dryRun: flag({ description: 'Change nothing.' }),
    reuse: flag({ description: 'Take layers over.', default: true }),
    maxLayers: integer({ description: 'Layers.', default: 40, min: 1, max: 120 }),
    outDir: path({ description: 'Folder.' }),
    registryToken: secret({ description: 'Token.' }),
  },
  outputs: { indexDigest: 'Digest of the index.' },
  async run(inputs, host) {
    // Types follow the declarations: these lines are checked by the compiler.
    const required: string = inputs.installable;
    const parsed: { reference: string } = inputs.to;
    const optional: 'x86_64-linux' | 'aarch64-linux' | undefined = inputs.system;
    const list: readonly string[] = inputs.tag;
    const number: number = inputs.maxLayers;
    // @ts-expect-error without default or required it may be undefined
    const folder: string = inputs.outDir;
    host.log.debug(`details ${[required, parsed.reference, optional, list, number, folder].length}`);
    host.log.info(`token ${inputs.registryToken ?? 'none'}`);
    return { ...inputs, kind: host.kind };
  },
  present: (made) => ({
    outputs: { indexDigest: 'sha256:abc' },
    data: made,
    text: `built ${made.installable}`,
    summary: `# built ${made.installable}\n`,
  }),
});

const failing = defineCommand({
  name: 'failing',
  summary: 'Fail.',
  inputs: {
    how: choice(['mendable', 'usage', 'bug', 'full-disk'], { description: 'How.', positional: true, required: true }),
  },
  outputs: {},
  async run({ how }, host) {
    await host.tempDir();
    const cause = new Error('connection refused', { cause: new Error('port closed') });
    if (how === 'mendable') {
      throw new UserError('registry', 'the registry refused', { hint: 'Log in.', docs: 'registries.md#logins', cause });
    }
    if (how === 'usage') throw new UserError('input', '--to and --out exclude each other');
    if (how === 'full-disk') {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
    }
    throw new TypeError('x is not a function');
  },
  present: () => ({ outputs: {}, data: null, text: '' }),
});

/** Leaves a place, and looks after it when the job ends. */
export const leaving = defineCommand({
  name: 'leaving',
  summary: 'Leave something.',
  inputs: { folder: text({ description: 'Folder.', required: true }) },
  outputs: {},
  run: async ({ folder }) => `${folder}/1`,
  present: (place) => ({ outputs: {}, data: null, text: '', state: { place } }),
  post: {
    async run({ folder }, _host, state) {
      const place = state('place') ?? 'nothing';
      if (place === 'fail') throw new UserError('file', 'the cache is gone');
      return { folder, place };
    },
    present: ({ folder, place }: { folder: string; place: string }) => ({
      text: `cleaned ${folder}: ${place}`,
      summary: `# ${place}`,
      ...(place === 'half' ? { failure: new UserError('file', 'not all of it') } : {}),
    }),
  },
});

const waiting = defineCommand({
  name: 'waiting',
  summary: 'Wait for a child until stopped.',
  inputs: {},
  outputs: {},
  async run(_inputs, host) {
    const folder = await host.tempDir();
    host.log.info(`waiting in ${folder}`);
    await host.exec('sleep', ['60']);
    await sleep(60_000, undefined, { signal: host.signal });
  },
  present: () => ({ outputs: {}, data: null, text: '' }),
});

/** Commands for tests of the host. */
export const testCommands: CommandLoaders = {
  everything: async () => everything,
  failing: async () => failing,
  leaving: async () => leaving,
  waiting: async () => waiting,
};
