import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import type { Exec } from '../../../src/core/exec.ts';
import { ALL_ENGINES, type Engine } from '../../../src/engine/engine.ts';
import { findEngine } from '../../../src/engine/find-engine.ts';
import { loadIntoEngine } from '../../../src/engine/load-image.ts';
import { runWords } from '../../../src/engine/run-words.ts';
import { type Digest, digestHex, digestOf } from '../../../src/oci/digest.ts';
import { memoryLog } from '../../support/memory-log.ts';

const FROM = `127.0.0.1:4000/team/web:id-${'0'.repeat(64)}`;
const IDS = [digestOf(Buffer.from('manifest')), digestOf(Buffer.from('config'))];
const image = { from: FROM, name: 'team/web:v1', platform: 'linux/arm64', ids: IDS, namespace: undefined };

/** What is read of an image, as text, with the name that it is given. */
async function* archive(name: string) {
  yield Buffer.from(`archive of ${name}`);
}

/** An image of which nothing was pulled. */
const source = { isFetched: () => false, archive };

/** Programs of which some are there, and what they were called with. */
function machine(
  answers: Readonly<Record<string, { exitCode: number; stderr?: string; stdout?: string } | 'missing'>>,
) {
  const calls: string[] = [];
  const read: string[] = [];
  const exec: Exec = async (program, args, { input } = {}) => {
    const line = [program, ...args].join(' ');
    calls.push(line);
    if (typeof input === 'object' && Symbol.asyncIterator in input)
      for await (const chunk of input) read.push(Buffer.from(chunk).toString());
    const key = Object.keys(answers).find((start) => line.startsWith(start));
    const answer = key === undefined ? { exitCode: 0 } : answers[key];
    if (answer === 'missing' || !answer) throw new UserError('file', `cannot run ${program}: no such program`);
    return { stdout: '', stderr: '', ...answer };
  };
  return { exec, calls, read, log: memoryLog(), tempDir: async () => '/tmp/of-the-run' };
}

const engine = (name: string): Engine => ALL_ENGINES.find((each) => each.name === name) as Engine;

test('the first engine that can be used is taken; a client without its daemon cannot', async () => {
  const { exec } = machine({
    // As podman 4.3 answers whose machine is not started; `podman --version` ends with 0 there.
    'podman version': { exitCode: 125, stderr: 'Cannot connect to Podman.\nError: unable to connect to Podman socket' },
    'docker version': { exitCode: 1, stderr: 'Cannot connect\nto the daemon' },
  });
  expect((await findEngine('auto', false, exec)).name).toBe('nerdctl');
  expect((await findEngine('containerd', false, exec)).name).toBe('containerd');
  await expect(findEngine('docker', false, exec)).rejects.toThrow(
    'docker cannot be used; looked for docker: to the daemon',
  );
});

test.each([
  ['Is the docker daemon running?', /^Start docker \(systemctl start docker.*docker context ls/],
  ['permission denied while trying to connect to the docker API', /^Run it as a user that may use the engine/],
])('an engine that is installed and cannot be used (%s) gets a hint of its own, alone', async (stderr, hint) => {
  const { exec } = machine({ docker: { exitCode: 1, stderr }, podman: 'missing', nerdctl: 'missing', ctr: 'missing' });
  for (const asked of ['docker', 'auto'] as const) {
    const error = await findEngine(asked, false, exec).catch((caught) => caught);
    expect(error.hint).toMatch(hint);
    expect(error.hint).not.toContain('nerdctl/releases');
  }
});

test('without any, the error names those that were looked for, and how each is installed', async () => {
  const all = { podman: 'missing', docker: 'missing', nerdctl: 'missing', ctr: 'missing' } as const;
  const { exec } = machine(all);
  const error = await findEngine('auto', false, exec).catch((caught) => caught);
  expect(error.message).toBe(
    'no container engine can be used; looked for podman: cannot run podman: no such program; docker: cannot run docker: no such program; ' +
      'nerdctl: cannot run nerdctl: no such program; containerd: cannot run ctr: no such program',
  );
  for (const how of ['apt install podman', 'docs.docker.com', 'nerdctl/releases', 'apt install containerd']) {
    expect(error.hint).toContain(how);
  }
  const toRun = await findEngine('auto', true, exec).catch((caught) => caught);
  expect(toRun.message).not.toContain('containerd');
});

test.each([
  [
    'podman',
    'localhost/team/web:v1',
    [
      'podman image inspect --format {{.Id}} localhost/team/web:v1',
      `podman pull --quiet --tls-verify=false --platform=linux/arm64 docker://${FROM}`,
      `podman tag ${FROM} localhost/team/web:v1`,
      `podman untag ${FROM} ${FROM}`,
    ],
  ],
  [
    'docker',
    'team/web:v1',
    [
      'docker image inspect --format {{.Id}} team/web:v1',
      `docker pull --quiet --platform=linux/arm64 ${FROM}`,
      `docker tag ${FROM} team/web:v1`,
      `docker rmi --no-prune ${FROM}`,
    ],
  ],
  [
    'nerdctl',
    'team/web:v1',
    [
      'nerdctl image inspect --format {{.Id}} team/web:v1',
      `nerdctl pull --quiet --insecure-registry --platform=linux/arm64 ${FROM}`,
      `nerdctl tag ${FROM} team/web:v1`,
      `nerdctl rmi ${FROM}`,
    ],
  ],
  [
    'containerd',
    'docker.io/team/web:v1',
    [
      'ctr --namespace k8s.io images ls name==docker.io/team/web:v1',
      `ctr --namespace k8s.io images pull --plain-http --platform linux/arm64 ${FROM}`,
      `ctr --namespace k8s.io images tag --force ${FROM} docker.io/team/web:v1`,
      `ctr --namespace k8s.io images rm ${FROM}`,
    ],
  ],
])('%s is asked, pulls, tags, and forgets where it pulled from', async (name, full, lines) => {
  const { calls, ...world } = machine({});
  expect(await loadIntoEngine(engine(name), image, source, world)).toEqual({ name: full, way: 'pulled' });
  expect(calls).toEqual(lines);
});

test.each([
  ['podman', 'podman image inspect', digestHex(IDS[1] as Digest)],
  ['docker', 'docker image inspect', IDS[0]],
  ['containerd', 'ctr --namespace k8s.io images ls', `REF TYPE DIGEST\ndocker.io/team/web:v1 manifest ${IDS[0]} 2 MiB`],
])('%s that has the image is asked for nothing more', async (name, question, stdout) => {
  const { calls, ...world } = machine({ [question]: { exitCode: 0, stdout: `${stdout}\n` } });
  expect((await loadIntoEngine(engine(name), image, source, world)).way).toBe('had');
  expect(calls).toHaveLength(1);
});

test('another image under the name does not count', async () => {
  const stdout = digestOf(Buffer.from('another'));
  const world = machine({ 'docker image inspect': { exitCode: 0, stdout } });
  expect((await loadIntoEngine(engine('docker'), image, source, world)).way).toBe('pulled');
});

test.each([
  [
    'podman',
    'pinging: Get "http://127.0.0.1:4000/v2/": dial tcp 127.0.0.1:4000: connect: connection refused',
    'load --quiet',
  ],
  ['podman', 'registry 127.0.0.1 is blocked in /etc/containers/registries.conf', 'load --quiet'],
  [
    'docker',
    'Error response from daemon: Get "https://127.0.0.1:4000/v2/": http: server gave HTTP response to HTTPS client',
    'load --quiet',
  ],
  // Another registry answers at that port of a virtual machine.
  ['docker', 'Error response from daemon: manifest for 127.0.0.1:4000/team/web:id-0 not found', 'load --quiet'],
  ['nerdctl', 'dial tcp 127.0.0.1:4000: i/o timeout', 'load --platform=linux/arm64'],
  ['containerd', 'connect: network is unreachable', '--namespace k8s.io images import --platform linux/arm64 -'],
])('%s that fetches nothing reads all of it: %s', async (name, stderr, load) => {
  const its = engine(name);
  const { calls, read, ...world } = machine({ [its.pull(image).slice(0, -1).join(' ')]: { exitCode: 1, stderr } });
  expect((await loadIntoEngine(its, image, source, world)).way).toBe('read');
  expect(read).toEqual([`archive of ${its.fullName(image.name)}`]);
  expect(calls.slice(2)).toEqual([`${its.load(image)[0]} ${load}`]);
  expect(world.log.lines).toContain(`${name} cannot pull from here, so all of team/web:v1 is sent to it`);
});

test('nerdctl, which takes no socket for its input, reads a named pipe', async () => {
  const stderr = 'level=fatal msg="stdin is empty and input flag is not specified"';
  const load = 'nerdctl load --platform=linux/arm64';
  const { calls, read, ...world } = machine({
    'nerdctl pull': { exitCode: 1, stderr: 'connection refused' },
    [`${load} --input=`]: { exitCode: 0 },
    [load]: { exitCode: 1, stderr },
  });
  expect((await loadIntoEngine(engine('nerdctl'), image, source, world)).way).toBe('read');
  const pipe = '/tmp/of-the-run/image';
  expect(calls.slice(3)).toEqual([`mkfifo ${pipe}`, `dd of=${pipe} bs=1M status=none`, `${load} --input=${pipe}`]);
  expect(read).toEqual(['archive of team/web:v1', 'archive of team/web:v1']);
  const other = machine({
    'docker pull': { exitCode: 1, stderr: 'connection refused' },
    'docker load': { exitCode: 1, stderr },
  });
  await expect(loadIntoEngine(engine('docker'), image, source, other)).rejects.toThrow('stdin is empty');
});

/** A nerdctl that wants a pipe and reads it to its end, or until it is stopped: where nobody opens the other end it gets no further by itself. */
const waitingNerdctl = (dd: Exec): Exec => {
  const asked: Exec = machine({
    'nerdctl pull': { exitCode: 1, stderr: 'connection refused' },
    'nerdctl load': { exitCode: 1, stderr: 'stdin is empty' },
  }).exec;
  return async (program, args, options) => {
    if (program === 'dd') return dd(program, args, options);
    if (!args.some((arg) => arg.startsWith('--input='))) return asked(program, args, options);
    await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve));
    throw new UserError('cancelled', 'nerdctl was stopped');
  };
};

/** An archive of which a layer has changed when it is read a second time. */
function changingArchive() {
  let times = 0;
  return async function* read() {
    yield Buffer.from('archive');
    times += 1;
    if (times > 1) throw new UserError('digest', 'layer 3 is another one by now');
  };
}

test.each<[string, Exec, string]>([
  ['a layer that has changed', machine({}).exec, 'layer 3 is another one by now'],
  ['a missing dd', machine({ dd: 'missing' }).exec, 'cannot run dd: no such program'],
  [
    'a dd that fails',
    machine({ dd: { exitCode: 1, stderr: 'Permission denied\n' } }).exec,
    'cannot write the image into /tmp/of-the-run/image: Permission denied',
  ],
])('nerdctl does not wait for a pipe that breaks: %s', async (_what, dd, message) => {
  const world = { exec: waitingNerdctl(dd), log: memoryLog(), tempDir: async () => '/tmp/of-the-run' };
  const read = message.startsWith('layer') ? changingArchive() : archive;
  await expect(loadIntoEngine(engine('nerdctl'), image, { ...source, archive: read }, world)).rejects.toThrow(message);
});

test('a namespace of containerd', async () => {
  for (const name of ['nerdctl', 'containerd']) {
    const { calls, ...world } = machine({});
    await loadIntoEngine(engine(name), { ...image, namespace: 'dev' }, source, world);
    expect(calls.every((call) => call.includes(' --namespace dev '))).toBe(true);
  }
  expect(engine('containerd').fullName('web:v1')).toBe('docker.io/library/web:v1');
});

describe('what engines say when they cannot load', () => {
  test.each([
    ['write /var/lib/x: no space left on device', 'prune'],
    ['dial unix /var/run/docker.sock: connect: permission denied', 'the group docker'],
    ['something else', 'To pull by hand, use nix-images serve, which keeps running.'],
  ])('%s', async (stderr, help) => {
    const { calls, ...world } = machine({ 'docker pull': { exitCode: 1, stderr } });
    const fetched = { ...source, isFetched: () => true };
    const error = await loadIntoEngine(engine('docker'), image, fetched, world).catch((caught) => caught);
    expect(error.message).toBe(`docker cannot load the image: ${stderr}`);
    expect(error.hint).toContain(help);
    expect(calls).toHaveLength(2);
  });

  test.each([
    'write /var/tmp/x: no space left on device',
    'Error: payload does not match any of the supported image formats:\n * oci: initializing source',
    'Error: payload does not match any of the supported image formats:\n * docker-archive: rejected by policy',
  ])('while they read all of it: %s', async (stderr) => {
    const world = machine({
      'podman pull': { exitCode: 125, stderr: 'connection refused' },
      'podman load': { exitCode: 125, stderr },
    });
    const error = await loadIntoEngine(engine('podman'), image, source, world).catch((caught) => caught);
    expect([error.message, error.hint]).toEqual([
      `podman cannot load the image: ${stderr}`,
      expect.stringContaining(stderr.includes('policy') ? 'policy.json' : 'prune'),
    ]);
  });

  test('a tag that fails leaves no name behind', async () => {
    const { calls, ...world } = machine({ 'podman tag': { exitCode: 125, stderr: 'invalid' } });
    await expect(loadIntoEngine(engine('podman'), image, source, world)).rejects.toThrow(
      'podman cannot load the image: invalid',
    );
    expect(calls.at(-1)).toContain('podman untag');
  });
});

describe('a container', () => {
  const container = {
    image: 'localhost/team/web:v1',
    repository: 'team/web',
    config: { ExposedPorts: { '8080/tcp': {}, '53/udp': {}, '9000/tcp': {} }, Volumes: { '/var/data': {}, '/': {} } },
    publish: [],
    namespace: undefined,
    platform: undefined,
    isTerminal: false,
    engineArg: ['--env=LEVEL=debug'],
    args: ['--verbose', 'a b'],
  };

  test('has the ports and volumes of its definition', () => {
    expect(runWords(engine('podman'), container)).toEqual([
      'podman',
      'run',
      ...['--rm', '--interactive', '--pull=never'],
      ...['--publish=127.0.0.1:8080:8080/tcp', '--publish=127.0.0.1:53:53/udp', '--publish=127.0.0.1:9000:9000/tcp'],
      ...['--volume=team-web-var-data:/var/data', '--volume=team-web:/'],
      '--env=LEVEL=debug',
      'localhost/team/web:v1',
      ...['--verbose', 'a b'],
    ]);
  });

  test('has other ports where they are asked for, and a terminal where there is one', () => {
    const words = runWords(engine('nerdctl'), {
      ...container,
      config: { ExposedPorts: { '8080/tcp': {}, '53/udp': {} } },
      publish: ['80:8080', '0.0.0.0:5353:53/udp', '2222:22'],
      namespace: 'dev',
      platform: 'linux/arm64',
      isTerminal: true,
    });
    expect(words?.slice(0, 5)).toEqual(['nerdctl', '--namespace', 'dev', 'run', '--rm']);
    expect(words?.filter((word) => word.startsWith('--publish'))).toEqual([
      '--publish=127.0.0.1:80:8080/tcp',
      '--publish=0.0.0.0:5353:53/udp',
      '--publish=127.0.0.1:2222:22/tcp',
    ]);
    expect(words).toEqual(expect.arrayContaining(['--tty', '--platform=linux/arm64']));
  });

  test('cannot be run by containerd alone', () => {
    expect(runWords(engine('containerd'), container)).toBeUndefined();
  });
});
