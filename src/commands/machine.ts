import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { installHint } from '../boot-test/find-emulator.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { STORE } from '../definition/store-path.ts';
import { defineCommand } from '../host/command.ts';
import { choices, flag, integer, secret, lines as several } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { askedLines, parseAccessTokens, parseConfigLine, parseSubstituter } from '../machine/asked-config.ts';
import { installBootTools, openKvm } from '../machine/boot-tools.ts';
import { type Check, checksText, type MachineFacts, machineChecks } from '../machine/checks.ts';
import { freeBytes, makeRoom, PREINSTALLED } from '../machine/disk-space.ts';
import { isEmulated } from '../machine/emulation.ts';
import { isTrusted, missingLines, type NixSettings, readNixSettings } from '../machine/nix-config.ts';
import { openNix } from '../nix/nix.ts';
import { platformOf, SYSTEMS, type System } from '../oci/system.ts';
import { findRuntime } from '../test-run/find-runtime.ts';
import { emulatorHere } from './disk-boots.ts';
import { systemHere } from './system-here.ts';

const GIB = 2 ** 30;

export const machine = defineCommand({
  name: 'machine',
  summary: 'Check whether this machine is ready to build images, and what is missing.',
  description:
    'Looks for Nix, its settings, emulation and free disk space. In a workflow it also sets `NIX_CONFIG` for the steps after ' +
    "it. GitHub's own runners lose preinstalled software where there is too little space, and get QEMU where disks are to be " +
    'booted. The action `setup` does the rest of what it says. On the command line nothing is changed, containers are looked ' +
    'for too, and the exit code is 1 where something is missing without which no image can be built.',
  inputs: {
    emulate: choices(SYSTEMS, { description: 'System of another kind whose programs are to run here, by emulation.' }),
    boot: choices(SYSTEMS, { description: 'System whose disks are booted here, for their tests.' }),
    freeSpace: integer({
      description: `Gibibytes that should be free for ${STORE}.`,
      default: 10,
      min: 0,
      placeholder: 'GIB',
    }),
    diskSpace: integer({
      description: 'Gibibytes that should be free besides, for the disk that is made here.',
      default: 0,
      min: 0,
      placeholder: 'GIB',
    }),
    nixConfig: several({
      description: 'Line of nix.conf for the steps that follow, such as `sandbox = true`.',
      faces: 'action',
      parse: parseConfigLine,
    }),
    acceptFlakeConfig: flag({
      description: 'Accept the settings of flakes (`nixConfig`), including binary caches and their keys.',
      faces: 'action',
    }),
    substituters: several({
      description: 'Binary cache to fetch from, beside those of Nix, such as `https://NAME.cachix.org`.',
      faces: 'action',
      parse: parseSubstituter,
    }),
    trustedPublicKeys: several({
      description: 'Public key of a binary cache, such as `NAME.cachix.org-1:…`.',
      faces: 'action',
    }),
    accessTokens: secret({
      description: 'Tokens for private inputs of flakes: `github.com=TOKEN`, one per line.',
      faces: 'action',
    }),
    netrc: secret({
      description: 'Logins for private binary caches, as lines of a netrc file: `machine HOST password TOKEN`.',
      faces: 'action',
    }),
  },
  outputs: {
    nix: '`present` or `absent`.',
    emulate: "Platforms that are still to be registered, as docker's actions name them: `arm64`.",
    nixConfig: 'Lines missing from nix.conf, one per line.',
    freeBytes: `Bytes that are free for ${STORE}.`,
  },
  async run(inputs, host) {
    const emulated = inputs.emulate.filter((system) => system !== systemHere());
    const here = await nixHere(host);
    const settings = here?.settings;
    const lines = missingLines(settings, emulated);
    if (settings && lines.length > 0) warnUnlessTrusted(settings, host);
    const unregistered: System[] = [];
    for (const system of emulated) if (!(await isEmulated(system))) unregistered.push(system);
    const wanted = (inputs.freeSpace + inputs.diskSpace) * GIB;
    const room = await makeRoom(
      { folder: STORE, wanted, candidates: isThrowaway(host) ? PREINSTALLED : [] },
      { exec: host.exec, log: host.log, free: freeBytes, asRoot: asRoot() },
    );
    const netrcFile = await writeNetrc(inputs.netrc, host);
    for (const token of parseAccessTokens(inputs.accessTokens ?? '').values()) host.log.mask(token);
    const asked = askedLines({ ...inputs, netrcFile });
    if (settings && asked.length > 0 && lines.length === 0) warnUnlessTrusted(settings, host);
    const boots = await bootsHere(inputs.boot, host);
    const checks = machineChecks({
      nix: here?.version,
      missingLines: lines,
      containers: host.kind === 'terminal' ? await containersHere(host) : { why: 'not looked for' },
      emulation: emulated.map((system) => ({ system, isReady: !unregistered.includes(system) })),
      boots,
      free: room,
      wanted,
      folder: STORE,
    });
    const isStep = host.kind === 'runner';
    const nixConfig = host.env('NIX_CONFIG') ?? '';
    const hasNix = settings !== undefined;
    return { hasNix, lines, asked, emulated, unregistered, boots, room, checks, isStep, nixConfig };
  },
  present: (found) => {
    const { hasNix, lines, asked, unregistered, room, checks, isStep } = found;
    // What is set already stays; a later installation reads the missing lines itself.
    const set = [...(hasNix ? lines : []), ...asked];
    const nix = hasNix ? 'present' : 'absent';
    const emulate = architectures(unregistered);
    const notReady = checks.filter(({ state }) => state === 'missing');
    return {
      outputs: { nix, emulate, nixConfig: lines.join('\n'), freeBytes: String(room) },
      ...(set.length > 0 ? { environment: { NIX_CONFIG: [found.nixConfig, ...set, ''].join('\n').trimStart() } } : {}),
      data: {
        schemaVersion: 1,
        ready: notReady.length === 0,
        nix,
        emulate: unregistered,
        nixConfig: lines,
        freeBytes: room,
        checks,
      },
      text: isStep ? stepText(found) : checksText(checks),
      ...(!isStep && notReady.length > 0 ? { failure: notReadyError(notReady) } : {}),
    };
  },
});

const architectures = (systems: readonly System[]): string =>
  systems.map((system) => platformOf(system).architecture).join(',');

/** What a step of a workflow says that it found and did. */
function stepText({ hasNix, lines, asked, emulated, unregistered, boots, room }: StepFacts): string {
  const emulate = architectures(unregistered);
  const whereLinesGo = hasNix ? 'NIX_CONFIG is set for the next steps' : 'an installation needs in its nix.conf';
  return [
    `nix: ${hasNix ? 'present' : 'absent'}`,
    ...(lines.length > 0 ? [`${whereLinesGo}\n  ${lines.join('\n  ')}`] : []),
    ...(asked.length > 0 ? [`asked for: ${asked.map((line) => line.split(/[\s=]/)[0]).join(', ')}`] : []),
    ...(emulated.length > 0 ? [`emulation: ${emulate === '' ? 'ready' : `to be registered: ${emulate}`}`] : []),
    ...boots.map((found) => `disks for ${found.system}: ${'why' in found ? found.why : found.label}`),
    `free for ${STORE}: ${sizeText(room)}`,
  ].join('\n');
}

interface StepFacts {
  readonly hasNix: boolean;
  readonly lines: readonly string[];
  readonly asked: readonly string[];
  readonly emulated: readonly System[];
  /** What is still to be registered. */
  readonly unregistered: readonly System[];
  readonly boots: MachineFacts['boots'];
  readonly room: number;
}

const notReadyError = (missing: readonly Check[]): UserError =>
  new UserError('system', `this machine cannot build images: ${missing.map(({ name }) => name).join(', ')} missing`, {
    hint: missing.flatMap(({ fix }) => fix ?? []).join('\n'),
  });

/** The program that runs the tests of images, or why none does. */
async function containersHere({ exec, log }: Host): Promise<MachineFacts['containers']> {
  const runtime = await findRuntime('auto', exec, log);
  return runtime ? { label: runtime.label } : { why: 'neither podman nor docker runs containers here' };
}

/**
 * What boots disks of `systems` here. GitHub's own runners get what they lack; any other machine is left as it is.
 */
async function bootsHere(systems: readonly System[], host: Host): Promise<MachineFacts['boots']> {
  const look = (): Promise<MachineFacts['boots']> => Promise.all(systems.map((system) => bootOf(system, host)));
  if (systems.length === 0 || !isThrowaway(host)) return warnedOf(await look(), host);
  const tools = { exec: host.exec, log: host.log, asRoot: asRoot() };
  await openKvm('/dev/kvm', tools);
  const found = await look();
  const missing = found.filter((one) => 'why' in one).map(({ system }) => system);
  if (missing.length === 0) return found;
  await installBootTools(missing, tools);
  return warnedOf(await look(), host);
}

async function bootOf(system: System, host: Host): Promise<MachineFacts['boots'][number]> {
  const found = await emulatorHere(host, system, 'auto');
  return 'why' in found
    ? { system, why: found.why, fix: installHint(system) }
    : { system, label: found.emulator.label };
}

/** On the command line the report says it. */
function warnedOf(boots: MachineFacts['boots'], { kind, log }: Host): MachineFacts['boots'] {
  for (const found of boots)
    if (kind === 'runner' && 'why' in found)
      log.warn(`tests of disks for ${found.system} cannot be run: ${found.why}. ${found.fix}`);
  return boots;
}

/** What runs a program as root. */
const asRoot = (): readonly string[] => (process.getuid?.() === 0 ? [] : ['sudo', '-n']);

/**
 * The file that Nix's setting `netrc-file` names; Nix takes logins in no other way. It is for this user alone, and lies where
 * the runner empties everything at the end of the job.
 */
async function writeNetrc(netrc: string | undefined, { env, log }: Host): Promise<string | undefined> {
  if (netrc === undefined) return undefined;
  const folder = env('RUNNER_TEMP');
  if (folder === undefined) {
    throw new UserError('input', 'netrc was given, but RUNNER_TEMP is not set', {
      hint: 'Run it as a step of a workflow.',
    });
  }
  for (const [, password = ''] of netrc.matchAll(/\bpassword\s+(\S+)/g)) log.mask(password);
  const file = join(folder, 'nix-images-netrc');
  await writeFile(file, `${netrc}\n`, { mode: 0o600 });
  return file;
}

/** GitHub's own runners live for one job. */
const isThrowaway = (host: Host): boolean =>
  host.kind === 'runner' && host.env('RUNNER_ENVIRONMENT') === 'github-hosted';

/** The Nix of this machine and its settings; undefined where there is none. */
async function nixHere(host: Host): Promise<{ readonly version: string; readonly settings: NixSettings } | undefined> {
  try {
    const nix = await openNix({ exec: host.exec, log: host.log, signal: host.signal });
    return { version: nix.version.text, settings: await readNixSettings(nix, host.exec) };
  } catch (error) {
    if (error instanceof UserError && error.code === 'evaluation' && isNotThere(error.cause)) return undefined;
    throw error;
  }
}

/** Only what cannot be started is absent: a Nix that is broken must not be installed over. */
const isNotThere = (cause: unknown): boolean => cause instanceof UserError && cause.code === 'file';

/** A daemon takes settings from trusted users only; without a daemon, and as root, everything counts. */
function warnUnlessTrusted(settings: NixSettings, { log }: Host): void {
  const user = userInfo().username;
  if (process.getuid?.() === 0 || isTrusted(settings, user, [])) return;
  log.warn(
    `if a daemon builds here, it obeys settings of trusted users only, and trusted-users in its nix.conf does not include ${user}`,
  );
}
