import { basename, resolve } from 'node:path';
import { installHint } from '../boot-test/find-emulator.ts';
import { bootError } from '../boot-test/report.ts';
import { UserError } from '../core/error.ts';
import { diskTestsSchema } from '../definition/disk-tests.ts';
import { MAX_TIMEOUT } from '../definition/image-tests.ts';
import { checkDisk } from '../disk/check-disk.ts';
import { openDisk } from '../disk/open-disk.ts';
import { defineCommand } from '../host/command.ts';
import { choice, integer, lines, path, text } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { testRunData, testRunSummary, testRunText } from '../test-run/report.ts';
import { failedTests } from '../test-run/test-run.ts';
import { bootInputs, consolesOf, runBoots } from './disk-boots.ts';
import { systemHere } from './system-here.ts';

/** What the one test is called. */
const TEST = 'boot';

export const boot = defineCommand({
  name: 'boot',
  summary: 'Boot a disk in a virtual machine, and see whether it comes up.',
  description:
    'For disk images of any maker: raw, VHD or qcow2. QEMU boots the file by UEFI with a serial console and a network that leads nowhere; the file is not ' +
    'written to. Without more it waits for a login prompt. Disks with tests of their own are booted by the build (docs/disks.md).',
  inputs: {
    disk: path({ description: 'File with the disk.', positional: true, required: true }),
    system: choice(SYSTEMS, { description: "System that the disk boots. Default: this machine's." }),
    says: lines({
      description: 'Text that the serial console must say; of several, each after the one before.',
      placeholder: 'TEXT',
    }),
    port: text({
      description: 'Port of the machine that must answer: `8080`, or `8080/health` to ask by HTTP for that path.',
      parse: parsePort,
    }),
    memory: integer({
      description: 'Memory of the machine in MiB.',
      placeholder: 'MIB',
      default: 1024,
      min: 64,
      max: 65_536,
    }),
    timeout: integer({
      description: 'Seconds until it must have come up.',
      placeholder: 'SECONDS',
      default: 600,
      min: 1,
      max: MAX_TIMEOUT,
    }),
    ...bootInputs,
  },
  outputs: {
    seconds: 'How long it took to come up.',
  },
  async run({ disk: file, system: asked, says, port, memory, timeout, ...inputs }, host) {
    const system = asked ?? systemHere();
    const opened = await openDisk(resolve(host.cwd, file), { exec: host.exec, signal: host.signal });
    try {
      await checkDisk(opened, { system, bootMode: 'uefi' });
    } finally {
      await opened.close();
    }
    const tests = diskTestsSchema.parse({
      [TEST]: {
        console: says.map((contains) => ({ contains })),
        prompt: says.length === 0 && port === undefined,
        port: port ?? null,
        memoryMiB: memory,
        timeout,
      },
    });
    const name = basename(file);
    const testRun = await runBoots({ name, system, tests }, opened, inputs, host);
    if (testRun.notRun !== null) {
      throw new UserError('test', `${name} was not booted: ${testRun.notRun}`, {
        hint: installHint(system),
        docs: 'disks.md#tests',
      });
    }
    return { name, testRun, consoles: consolesOf(inputs, host) };
  },
  present: ({ name, testRun, consoles }) => ({
    outputs: { seconds: String(Math.round((testRun.tests[0]?.milliseconds ?? 0) / 1000)) },
    data: { schemaVersion: 1, disk: name, ...testRunData(testRun) },
    text: testRunText(testRun),
    summary: testRunSummary(testRun),
    ...(failedTests(testRun).length > 0 ? { failure: bootError(name, testRun, { consoles, areOwn: false }) } : {}),
  }),
});

/** `8080`, or `8080/path`. Throws UserError `input`. */
function parsePort(given: string): { readonly number: number; readonly path?: string } {
  const [, digits = '', path] = /^(\d{1,5})(\/[\x21-\x7e]*)?$/.exec(given) ?? [];
  const number = Number(digits);
  if (number >= 1 && number <= 65_535) return path === undefined ? { number } : { number, path };
  throw new UserError('input', `not a valid port: ${JSON.stringify(given)}`, {
    hint: 'Expected a number up to 65535, and a path if it is to be asked by HTTP: 8080/health.',
  });
}
