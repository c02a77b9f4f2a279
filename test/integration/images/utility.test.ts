import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliData } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import type { ProgramResult } from '../../support/tools.ts';
import { passedTests, type Tried } from './nix-kit.ts';
import { type ConfigMap, type CronJob, utilityExamples } from './utility-examples.ts';
import { pull, RECIPES, type SecureServer, shippedImage, startSecureServer, UTILITY_TESTS } from './utility-kit.ts';

// The utility image, built by Nix of Debian's packages, in podman. It is large: its podman copies it in some seconds.

/**
 * Compiles the modules that httpie loads. Unlike nixpkgs', Debian's packages hold none compiled, and its Python is started with
 * -B here: each start of httpie would compile them all, which is three quarters of what it takes.
 */
const COMPILE_HTTPIE = `
  mapfile -t own </bin/http; read -r _ program _ <<<"\${own[-1]}"
  mapfile -t started <"$program"; read -r _ python httpie _ <<<"\${started[1]}"
  "$python" -c '
import sys, runpy, py_compile
httpie = sys.argv[1]
sys.argv = ["http", "--version"]
try: runpy.run_path(httpie, run_name="__main__")
except SystemExit: pass
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None) or ""
    if file.endswith(".py"): py_compile.compile(file, doraise=True)
' "$httpie"`;

/** Runs recipes in the image, with further options of podman. */
type Run = (recipes: readonly string[], options?: readonly string[]) => Promise<ProgramResult>;

let lab: Lab;
let server: SecureServer;
let published: Tried;
let run: Run;
let image: string;
/** Where the modules of httpie lie compiled, for all containers of the file. */
let compiled: readonly string[];

beforeAll(async () => {
  lab = await openLab('utility');
  const { registry, podman, temp } = lab;
  const reference = `${registry.host}/utility:v1`;
  const words = ['publish', ...(await shippedImage()), ...ONLY_X86, '--to', reference];
  [published, server] = await Promise.all([cliData<Tried>(words, { env: podman.env }), startSecureServer(temp.path)]);
  image = await pull(podman, reference, 'linux/amd64');
  const folder = join(temp.path, 'compiled');
  await mkdir(folder);
  // The containers' user is nobody here.
  await chmod(folder, 0o777);
  compiled = ['--volume', `${folder}:/compiled`, '--env', 'PYTHONPYCACHEPREFIX=/compiled'];
  run = (recipes, options = []) => podman.run(['run', '--rm', ...compiled, ...options, image, ...recipes]);
  const { exitCode, stderr } = await run(['--command', 'bash', '-c', COMPILE_HTTPIE]);
  expect([exitCode, (await readdir(folder)).length], stderr).toEqual([0, 1]);
  // Where none of it is in the store, a hundred packages are unpacked first.
}, 900_000);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await lab?.close();
});

/** With other recipes, as a ConfigMap would bring them. */
const RECIPES_MOUNTED = ['--volume', `${RECIPES}:/justfile:ro`];

/** The server's loopback address is the container's too. */
const HOST = ['--network', 'host'];

const trusting = (file: string): string[] => ['--volume', `${file}:/etc/ssl/certs/ca-bundle.crt:ro`];

// On AArch64: emulated.full.test.ts.
test('its own tests ran before it was published', () => {
  expect(passedTests(published)).toEqual([['linux/amd64', UTILITY_TESTS]]);
});

describe('recipes', () => {
  test('without any, it lists them with what they do', async () => {
    const { exitCode, stdout, stderr } = await run([]);
    expect(stdout, stderr).toMatch(/^ {4}backup \$name +# Asks .*\n {4}healthcheck-io +# Tells /m);
    expect(exitCode).toBe(0);
  });

  test('run in their order, each with its arguments', async () => {
    const { exitCode, stdout } = await run(['first', 'say', 'one two', 'three'], RECIPES_MOUNTED);
    expect(stdout).toMatch(/^\S+\/bin\/tini -g -- \S+\/bin\/just --working-directory \. .*\nsaid one two three\n$/);
    expect(exitCode).toBe(0);
  });

  test('one that fails is the last, and its exit code is the container’s', async () => {
    const { exitCode, stdout, stderr } = await run(['fail', '42', 'say', 'nothing'], RECIPES_MOUNTED);
    expect([exitCode, stdout]).toEqual([42, '']);
    expect(stderr).toContain('Recipe `fail` failed');
  });

  test('one that does not exist runs nothing, and the nearest is named', async () => {
    const { exitCode, stdout, stderr } = await run(['who', 'sey', 'hello'], RECIPES_MOUNTED);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/does not contain recipe `sey`\.?\s+Did you mean `say`\?/);
  });

  test('run as nobody special, in a place that they may write to, without capabilities or a writable root', async () => {
    const strict = ['--read-only', '--cap-drop=all', '--security-opt=no-new-privileges', '--tmpfs=/tmp:mode=1777'];
    const { exitCode, stdout, stderr } = await run(['who'], [...RECIPES_MOUNTED, ...strict]);
    expect(stdout, stderr).toBe('uid=65532(utility) gid=65532(utility) groups=65532(utility)\nin /tmp, home /tmp\n');
    expect(exitCode).toBe(0);
  });
});

describe('TLS', () => {
  const ask = (program: string, ...options: string[]): Promise<ProgramResult> =>
    run(['do', ...program.split(' '), `${server.url}/`], [...RECIPES_MOUNTED, ...HOST, ...options]);

  test.each([
    ['curl --fail --silent --show-error', 60, /unable to get local issuer certificate/],
    ['http', 1, /SSLError.*CERTIFICATE_VERIFY_FAILED/s],
  ])('%s believes whom it is told to and nobody else', async (program, refusal, reason) => {
    const refused = await ask(program);
    expect(refused.stderr).toMatch(reason);
    expect([refused.exitCode, refused.stdout]).toEqual([refusal, '']);

    const own = ['--volume', `${server.authority}:/own.pem:ro`, '--env', 'SSL_CERT_FILE=/own.pem'];
    const answered = await ask(program, ...own);
    expect(answered.stdout, answered.stderr).toContain('an answer');
    expect(answered.exitCode).toBe(0);
  });

  test('https believes who is in the bundle', async () => {
    const { exitCode, stdout, stderr } = await ask('https', ...trusting(server.authority));
    expect(stdout, stderr).toContain('an answer');
    expect(exitCode).toBe(0);
  });

  test('the bundle holds the usual authorities, in both places', async () => {
    const words = 'for f in ca-bundle.crt ca-certificates.crt; do cat /etc/ssl/certs/$f | sha256sum; done';
    const sums = await run(['--command', 'bash', '-c', words]);
    expect(new Set(sums.stdout.trim().split('\n')).size).toBe(1);
    const { stdout } = await run(['--command', 'cat', '/etc/ssl/certs/ca-bundle.crt']);
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(sums.stdout.slice(0, 64));
    expect(stdout.match(/^-----BEGIN CERTIFICATE-----$/gm)?.length).toBeGreaterThan(100);
  });
});

describe('backup "test" healthcheck-io', () => {
  const backUp = () => {
    server.requests.length = 0;
    const places = ['--env', `BACKUP_URL=${server.url}/backup`, '--env', `HEALTHCHECK_URL=${server.url}/ping`];
    return run(['backup', 'test', 'healthcheck-io'], [...HOST, ...trusting(server.authority), ...places]);
  };

  test('with a backup that goes well reports it', async () => {
    const { exitCode, stderr } = await backUp();
    expect(server.requests, stderr).toEqual(['POST /backup {"name": "test"}', 'GET /ping']);
    expect(exitCode).toBe(0);
  });

  test('with a backup that fails reports nothing and fails alike', async () => {
    server.statuses.set('/backup', 503);
    const { exitCode, stderr } = await backUp();
    server.statuses.clear();
    expect(server.requests).toEqual(['POST /backup {"name": "test"}']);
    // httpie's code for answers of 500 and more.
    expect(exitCode, stderr).toBe(5);
  });

  test('without the address of the backup says what is missing', async () => {
    const { exitCode, stderr } = await run(['backup', 'test', 'healthcheck-io']);
    expect(stderr).toContain('BACKUP_URL: is the address that a backup is asked for at');
    expect(exitCode).not.toBe(0);
  });
});

describe('what http sends', () => {
  const trusted = (): string[] => [...HOST, ...trusting(server.authority), '--env', `URL=${server.url}`];

  /** Runs a script in one container; gives what the server was asked meanwhile. */
  const script = async (text: string, options: readonly string[] = []) => {
    server.requests.length = 0;
    const result = await run(['--command', 'bash', '-c', text], [...trusted(), ...options]);
    return { ...result, requests: [...server.requests] };
  };

  test('a pipe, a file or a here-document is the body, whenever it comes; nothing else is', async () => {
    const { exitCode, stderr, requests } = await script(`
      echo piped | http PUT $URL/pipe
      { sleep 2; echo late; } | http POST $URL/late
      echo in a file >/tmp/file; http PUT $URL/file </tmp/file
      http POST $URL/here <<<here
      http POST $URL/null </dev/null
      http POST $URL/closed <&-
      http $URL/get
      http POST $URL/items name=x
      for n in 1 2; do echo $n; done | while read -r n; do http -I POST $URL/$n; done`);
    expect(requests, stderr).toEqual([
      ...['PUT /pipe piped', 'POST /late late', 'PUT /file in a file', 'POST /here here', 'POST /null'],
      ...['POST /closed', 'GET /get', 'POST /items {"name": "x"}', 'POST /1', 'POST /2'],
    ]);
    expect(exitCode).toBe(0);
  });

  test('100 MB from a pipe arrive as they are', async () => {
    const sum = 'head -c 100000000 /dev/urandom | tee >(sha256sum >&2) | http --timeout=60 PUT $URL/dump';
    const { exitCode, stderr, requests } = await script(sum);
    expect(requests).toEqual([`PUT /dump sha256:${stderr.match(/[0-9a-f]{64}/)?.[0]}`]);
    expect(exitCode).toBe(0);
  });

  /** The same with input of the container's own, which stays open until it has ended unless `input` is given. */
  const withInput = async (text: string, input?: string) => {
    server.requests.length = 0;
    const words = ['run', '--rm', '--interactive', ...compiled, ...trusted(), image, '--command', 'bash', '-c', text];
    const env = { ...process.env, ...lab.podman.env };
    const child = spawn('podman', words, { env, stdio: ['pipe', 'ignore', 'pipe'] });
    const said = child.stderr.setEncoding('utf8').toArray();
    if (input !== undefined) child.stdin.end(input);
    const [exitCode] = await once(child, 'exit');
    child.stdin.end();
    return { exitCode, stderr: (await said).join(''), requests: [...server.requests] };
  };

  test("input of the container's own is a body", async () => {
    const input = `\0${'x'.repeat(99)}`;
    const { exitCode, stderr, requests } = await withInput('http PUT $URL/own', input);
    expect(requests, stderr).toEqual([`PUT /own ${input}`]);
    expect(exitCode).toBe(0);
  });

  test("input of the container's own that never comes is not waited for, and no upload is empty in silence", async () => {
    const { exitCode, stderr, requests } = await withInput(`http $URL/get; http POST $URL/items name=x; exec 3<&0
      http POST $URL/trigger <&3 & http PUT $URL/upload; code=$?; wait; exit $code`);
    expect(requests, stderr).toEqual(['GET /get', 'POST /items {"name": "x"}', 'POST /trigger']);
    expect(stderr).toContain('http: warning: the container');
    expect(stderr).toMatch(/http: error: the container.* so nothing was sent: write 'cat \| http …'/);
    expect(exitCode).toBe(1);
  });

  test('a named session is kept', async () => {
    const visits = 'http --session=me $URL/one; http --session=me $URL/two; cat /tmp/.config/httpie/sessions/*/me.json';
    const { exitCode, stdout, stderr } = await script(visits);
    expect(stdout, stderr).toContain('"name": "visit"');
    expect(exitCode, stderr).toBe(0);
  });

  test('an upload that fails, or is sent elsewhere, fails the recipe', async () => {
    server.statuses.set('/full', 507).set('/moved', 302);
    const upload = join(lab.temp.path, 'upload');
    await writeFile(
      upload,
      `set shell := ["bash", "-euo", "pipefail", "-c"]\nput path:\n    echo dump | http PUT $URL/{{path}}\n`,
    );
    const at = ['--volume', `${upload}:/justfile:ro`, ...trusted()];
    const [full, moved] = [await run(['put', 'full', 'put', 'x'], at), await run(['put', 'moved', 'put', 'x'], at)];
    server.statuses.clear();
    // httpie's codes for answers of 500 and more, and for a redirect that it was not told to follow.
    expect([full.exitCode, moved.exitCode], full.stderr + moved.stderr).toEqual([5, 3]);
  });
});

test("the readme's CronJob does what it says, with a pod's rights, until an upload fails", async () => {
  const [configMap, cronJob] = (await utilityExamples()) as [ConfigMap, CronJob, unknown];
  const recipes = join(lab.temp.path, 'recipes');
  await mkdir(recipes);
  await writeFile(join(recipes, 'justfile'), configMap.data.justfile);
  const [container] = cronJob.spec.jobTemplate.spec.template.spec.containers;
  const urls = { DUMP_URL: '/dump', UPLOAD_URL: '/upload', HEALTHCHECK_URL: '/ping' };
  const env = [
    ...container.env.flatMap(({ name, value }) => (value === undefined ? [] : [`${name}=${value}`])),
    ...Object.entries(urls).map(([name, path]) => `${name}=${server.url}${path}`),
  ];
  const options = [
    ...['--read-only', '--read-only-tmpfs=false', '--cap-drop=all', '--security-opt=no-new-privileges', '--tmpfs=/tmp'],
    ...['--volume', `${recipes}:/recipes:ro`, ...HOST, ...trusting(server.authority)],
    ...env.flatMap((variable) => ['--env', variable]),
  ];
  server.requests.length = 0;
  const went = await run(container.args, options);
  expect(server.requests, went.stderr).toEqual(['GET /dump', 'PUT /upload an answer', 'GET /ping']);
  expect(went.exitCode).toBe(0);

  server.requests.length = 0;
  server.statuses.set('/upload', 507);
  const failed = await run(container.args, options);
  server.statuses.clear();
  expect(server.requests).toEqual(['GET /dump', 'PUT /upload an answer']);
  expect(failed.exitCode).toBe(5);
});

describe('as the first process', () => {
  /** Starts a recipe and waits until it says that it is ready; gives its container. */
  const started = async (recipe: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await lab.podman.run([
      ...['run', '--detach', ...RECIPES_MOUNTED, image],
      recipe,
    ]);
    expect(exitCode, stderr).toBe(0);
    const container = stdout.trim();
    while (!(await lab.podman.run(['logs', container])).stdout.includes('ready')) await sleep(100);
    return container;
  };

  test.each(['TERM', 'INT'])('SIG%s ends it, and what its recipe runs', async (signal) => {
    const container = await started('sleep');
    expect((await lab.podman.run(['kill', '--signal', signal, container])).exitCode).toBe(0);
    // Nobody else kills it: if the signal were lost, this would wait for ten minutes. The code is 128 and the signal where
    // just notices that first, 1 where it first notices that its child has gone, and 130 of every signal in just 1.40.
    const { stdout } = await lab.podman.run(['wait', container]);
    expect(stdout.trim()).toMatch(signal === 'INT' ? /^(130|1)$/ : /^(143|130|1)$/);
  });

  test('a recipe may tidy up when it is told to end', async () => {
    const container = await started('wait');
    const stopped = await lab.podman.run(['stop', '--time', '600', container]);
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    expect((await lab.podman.run(['logs', container])).stdout).toBe('ready\ntold to end\n');
  });

  test('no child without a parent stays a zombie', async () => {
    const tini = await run(['orphans', '200'], RECIPES_MOUNTED);
    expect(tini.stdout, tini.stderr).toBe('zombies 0, sleeping 0\n');
    // Without tini each of them does, so this is no other's work.
    const bare = ['--entrypoint', '["/bin/just", "--justfile", "/justfile"]'];
    const without = await run(['orphans', '200'], [...RECIPES_MOUNTED, ...bare]);
    expect(without.stdout, without.stderr).toBe('zombies 200, sleeping 0\n');
  });
});
