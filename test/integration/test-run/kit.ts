import { expect } from 'vitest';
import { runCli, testImage } from '../../support/cli.ts';
import type { Podman } from '../../support/podman.ts';
import type { ProgramResult } from '../../support/tools.ts';

/** Words that choose the image `tested` with these tests, as a definition has them. */
export const testedImage = (tests: object, settings: Readonly<Record<string, string>> = {}): Promise<string[]> =>
  testImage('tested', { tests: JSON.stringify(tests), ...settings });

export interface TrialJob {
  readonly command: 'build' | 'publish';
  readonly tests: object;
  readonly settings?: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Builds or publishes the image `tested`; however it ends is for the test to look at. */
export const runJob = async ({ command, tests, settings, words, env }: TrialJob): Promise<ProgramResult> =>
  runCli([command, ...(await testedImage(tests, settings)), ...words], { env });

/** Fails when a container, image or volume is left in this podman. */
export async function expectNothingLeft(podman: Podman): Promise<void> {
  expect((await podman.run(['ps', '--all', '--format', '{{.Names}} {{.Status}}'])).stdout).toBe('');
  expect((await podman.run(['images', '--all', '--format', '{{.Repository}}:{{.Tag}}'])).stdout).toBe('');
  expect((await podman.run(['volume', 'ls', '--quiet'])).stdout).toBe('');
}

/** What the error says of one test. */
export function failureOf(stderr: string, name: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^ {2}/, ''));
  const start = lines.indexOf(`the test ${name} failed`);
  if (start < 0) throw new Error(`nothing is said of the test ${name}:\n${stderr}`);
  const end = lines.findIndex((line, at) => at > start && !line.startsWith('  '));
  return lines.slice(start + 1, end).join('\n');
}

/** One test of each kind that the image `tested` passes. */
export const PASSING = {
  'says so': { command: ['echo out; echo err >&2'], stdout: { equals: 'out\n' }, stderr: { matches: '^err$' } },
  'ends otherwise': { command: ['exit 3'], exitCode: 3 },
  'reads its input': { command: ['cat'], stdin: 'abc\n', stdout: { matches: '^abc$' } },
  'as somebody else': {
    command: ['id -u; pwd; echo "$GREETING"'],
    user: '7',
    workdir: '/www',
    env: { GREETING: 'good day' },
    stdout: { equals: '7\n/www\ngood day\n' },
  },
  'another entrypoint': { entrypoint: [], command: ['/bin/echo', 'direct'], stdout: 'direct' },
  'has no network': { command: ['ls /sys/class/net'], stdout: { equals: 'lo\n' } },
  'has its files': {
    files: {
      '/www/index.html': { mode: '0644', text: { equals: 'hello\n' } },
      '/www/owned': { mode: '0640', uid: 7, gid: 8, text: 'x' },
      '/www/link': { text: 'hello' },
      '/www': { mode: '0755' },
      '/nothing': false,
      '/www/index.html/below': false,
    },
  },
  'writes a file': {
    command: ['umask 077; echo new > /www/new'],
    files: { '/www/new': { mode: '0600', text: 'new' } },
  },
  serves: { port: { number: 8080, path: '/', text: 'hello' }, files: { '/www/index.html': true } },
  'takes a connection': { port: 8080 },
  restricted: {
    command: ['grep -E "^(CapBnd|NoNewPrivs)" /proc/self/status; touch /tmp/x && ls -a /tmp; touch /run/x || echo no'],
    readOnly: true,
    noNewPrivileges: true,
    capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
    tmpfs: ['/tmp'],
    stdout: { equals: 'CapBnd:\t0000000000000400\nNoNewPrivs:\t1\n.\n..\nx\nno\n' },
  },
  'runs no programs from a tmpfs': {
    command: ['for at in /a /b; do cp /bin/busybox $at/true; $at/true || echo no; done; stat -c %a /b'],
    tmpfs: { '/a': {}, '/b': { exec: true, mode: '0700' } },
    stdout: { equals: 'no\n700\n' },
  },
  'is not root outside': {
    command: ['read inside outside _ </proc/self/uid_map; [ $inside = 0 ] && [ $outside != 0 ]'],
    userNamespace: true,
  },
  // In the order of their names; the volume is one.
  'volume 1': {
    volumes: { '/www': 'data', '/copy': { name: 'copy' } },
    steps: [
      { command: ['ls /www; echo kept >/www/file'], stdout: { equals: '' } },
      { command: ['cat /www/file'], env: { A: 'b' }, stdout: { equals: 'kept\n' }, user: 7 },
      { files: { '/www/file': { text: 'kept', mode: '0644' } } },
    ],
  },
  'volume 2': {
    command: ['cat /data/file /www/index.html; touch /data/x || echo no'],
    volumes: { '/data': { name: 'data', readOnly: true }, '/www': { name: 'www', copy: true } },
    stdout: { equals: 'kept\nhello\nno\n' },
  },
} as const;
