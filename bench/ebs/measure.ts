import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sizeText } from '../../src/core/size.ts';
import { beginWithRelease, SCRATCH } from '../begin.ts';
import { quiet } from '../machine.ts';
import { startTimed } from '../measure/timed.ts';
import type { Options } from '../options.ts';
import { PROGRAM } from '../release.ts';
import { markdownTable } from '../report/table.ts';
import { median } from '../statistics.ts';
import { inTurns } from '../turns.ts';
import { transpiled } from './transpile.ts';

/** Of the disk that is uploaded, and what of it is data: mostly hole, as disks are. */
const SIZE = 5 * 1024 ** 3;
const DATA = 1024 ** 3;

/** The data lies in so many pieces. */
const PIECES = 64;

const BLOCK = 524_288;

const MOST_MEMORY = 200e6;

/** Requests of an upload beside its blocks: one to start it, one to complete it. */
const OTHERS = 2;

type Counts = Readonly<Record<string, number>>;

/** One run of one uploader. */
interface Run {
  /** From the start of the program to its end. */
  readonly wall: number;
  /** Without the start of Node and the digests, for whoever says it. */
  readonly upload: number | undefined;
  readonly memory: number;
  readonly requests: number;
}

export interface EbsResult {
  readonly loadBefore: number;
  readonly cores: number;
  readonly blocks: number;
  /** Medians, by uploader. */
  readonly runs: ReadonlyMap<string, Run>;
  /** Requests of the same disk again, over itself. */
  readonly again: Counts;
}

interface Uploader {
  readonly name: string;
  readonly command: (url: string) => { readonly program: string; readonly args: string[] };
}

/** COLDSNAP names the program where it is installed. */
function uploaders(own: string, disk: string, parent: string): readonly Uploader[] {
  const coldsnap = process.env.COLDSNAP;
  const node = (file: string, ...words: string[]) => ({
    program: process.execPath,
    args: [file, ...words],
  });
  return [
    { name: 'nix-images', command: (url) => node(own, disk, PROGRAM, url, parent) },
    { name: "AWS's client, one thread", command: (url) => node(join(import.meta.dirname, 'upload-sdk.ts'), disk, url) },
    ...(coldsnap === undefined
      ? []
      : [
          {
            name: 'coldsnap',
            command: (url: string) => ({
              program: coldsnap,
              args: ['--endpoint', url, '--region', 'us-east-1', 'upload', '--omit-zero-blocks', '--no-progress', disk],
            }),
          },
        ]),
  ];
}

async function writeSparse(path: string): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(SIZE);
  const bytes = Buffer.alloc(DATA / PIECES);
  for (let piece = 0; piece < PIECES; piece += 1) {
    // Each block is another: a counter in front of it.
    for (let at = 0; at < bytes.length; at += BLOCK) bytes.writeUInt32LE(piece * 1024 + at / BLOCK + 1, at);
    await file.write(bytes, 0, bytes.length, piece * (SIZE / PIECES));
  }
}

/** The server in a process of its own. */
async function startServer(): Promise<{ readonly server: ChildProcess; readonly url: string }> {
  const file = join(import.meta.dirname, 'serve.ts');
  const server = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (server.stdout === null) throw new Error('the server says nothing');
  const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string];
  return { server, url: line.trim() };
}

const countsOf = async (url: string): Promise<Counts> => (await (await fetch(`${url}/counts`)).json()) as Counts;

const sumOf = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

async function runOnce({ command }: Uploader, url: string, scratch: string): Promise<Run> {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE000000000', AWS_SECRET_ACCESS_KEY: 'secret' };
  const { child, ended } = startTimed({ ...command(url), env: keys }, scratch, ['ignore', 'pipe', 'pipe']);
  const said = child.stdout ? text(child.stdout) : Promise.resolve('');
  const { wallSeconds, largestProcess } = await ended;
  const answer = /^\{.*\}$/m.exec(await said)?.[0];
  const upload = answer === undefined ? undefined : (JSON.parse(answer) as { seconds: number }).seconds;
  return { wall: wallSeconds, upload, memory: largestProcess, requests: sumOf(await countsOf(url)) };
}

/** Uploads a disk of 5 GiB with 1 GiB of data in every way there is, to one server on this machine that checks each block. */
export async function measureEbs(options: Options, work: string, log: (line: string) => void): Promise<EbsResult> {
  await beginWithRelease(work, log);
  const own = await transpiled('upload-own');
  const scratch = await mkdtemp(join(work, SCRATCH));
  const { server, url } = await startServer();
  try {
    const [disk, parent] = [join(scratch, 'disk.raw'), join(scratch, 'parent')];
    await writeSparse(disk);
    const all = uploaders(own, disk, parent);
    const loadBefore = await quiet(log);
    const found = new Map(all.map(({ name }) => [name, [] as Run[]]));
    for (const { thing, round } of inTurns(all, options.runs, () => false)) {
      await rm(parent, { force: true });
      const one = await runOnce(thing, url, scratch);
      found.get(thing.name)?.push(one);
      log(`${thing.name}, ${round + 1}: ${one.wall.toFixed(2)} s`);
    }
    // With the list of blocks of the last run.
    const [first] = all;
    if (first === undefined) throw new Error('nobody uploads');
    await rm(parent, { force: true });
    await runOnce(first, url, scratch);
    const { requests } = await runOnce(first, url, scratch);
    const of = (runs: readonly Run[]): Run => ({
      wall: median(runs.map(({ wall }) => wall)),
      upload: runs[0]?.upload === undefined ? undefined : median(runs.map(({ upload = 0 }) => upload)),
      memory: median(runs.map(({ memory }) => memory)),
      requests: Math.max(...runs.map((run) => run.requests)),
    });
    return {
      loadBefore,
      cores: availableParallelism(),
      blocks: DATA / BLOCK,
      runs: new Map([...found].map(([name, runs]) => [name, of(runs)])),
      again: { requests },
    };
  } finally {
    server.kill();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** As Markdown. */
export function ebsText(result: EbsResult): string {
  const { runs, cores, loadBefore, again } = result;
  const rate = (seconds: number | undefined): string =>
    seconds === undefined ? '' : (DATA / 1024 ** 2 / seconds).toFixed(0);
  const table = markdownTable(
    [
      { heading: 'upload of a disk', cell: ([name]: readonly [string, Run]) => name },
      { heading: 'wall s', cell: ([, { wall }]) => wall.toFixed(2), right: true },
      { heading: 'MiB/s of data', cell: ([, { wall }]) => rate(wall), right: true },
      { heading: 'MiB/s without start and digests', cell: ([, { upload }]) => rate(upload), right: true },
      { heading: 'memory', cell: ([, { memory }]) => sizeText(memory), right: true },
      { heading: 'requests', cell: ([, { requests }]) => String(requests), right: true },
    ],
    [...runs],
  );
  const what = `a disk of ${sizeText(SIZE)} with ${sizeText(DATA)} of data, ${cores} cores with the server; load at the start ${loadBefore.toFixed(2)}`;
  return [what, table, `the same again, over itself: ${again.requests} requests`, ...missedEbs(result)].join('\n\n');
}

/** What the project promises and these figures do not show. */
export function missedEbs({ runs, blocks, again }: EbsResult): string[] {
  const own = runs.get('nix-images');
  const coldsnap = runs.get('coldsnap');
  if (own === undefined) return ['missed: nothing was measured'];
  return [
    ...(own.requests === blocks + OTHERS ? [] : [`missed: ${own.requests} requests for ${blocks} blocks`]),
    ...(again.requests === OTHERS ? [] : [`missed: ${again.requests} requests for a disk that is there`]),
    ...(own.memory > MOST_MEMORY ? [`missed: it takes ${sizeText(own.memory)} of memory`] : []),
    ...(coldsnap !== undefined && own.wall > coldsnap.wall
      ? [`missed: it takes ${(own.wall / coldsnap.wall).toFixed(2)} times as long as coldsnap`]
      : []),
  ];
}
