import { parseArgs } from 'node:util';
import { CASE_NAMES, type CaseName } from './cases.ts';
import { DISK_ROWS, type DiskRow } from './disk/rows.ts';
import { FIXTURES, type FixtureName } from './fixture/fixture.ts';

export interface Options {
  readonly fixture: FixtureName;
  readonly cases: readonly CaseName[];
  /** Parts of names, or whole ones after `=`, any of which chooses a subject; all when empty. */
  readonly subjects: readonly string[];
  readonly runs: number;
  /** Whether bounds and the floor are measured as well. */
  readonly bounds: boolean;
  /** Whether what further destinations cost is measured, and nothing else. */
  readonly destinations: boolean;
  /** Whether disks are made and compared, and nothing else. */
  readonly disk: boolean;
  /** The parts of what is measured of disks. */
  readonly rows: readonly DiskRow[];
  /** Whether images that share most of their closures are built together and compared, and nothing else. */
  readonly fleet: boolean;
  /** Numbers of threads with which the closure is published; where there are any, nothing else is measured. */
  readonly threads: readonly number[];
  /** Whether the upload of a disk to EBS is measured, and nothing else. */
  readonly ebs: boolean;
  /** Whether pulls from `serve` are measured, and nothing else. */
  readonly serve: boolean;
  /** Whether `load` into engines is measured, and nothing else. */
  readonly load: boolean;
  /** Whether pulls after a change are measured, and nothing else. */
  readonly pull: boolean;
  /** Whether docs/benchmarks.md is written anew from the result. */
  readonly docs: boolean;
  /** A result to render again instead of measuring. */
  readonly render: string | undefined;
}

export const USAGE = `usage: npm run bench -- [OPTIONS]

  --fixture small|large   the closure that is published; large unless told
  --cases A,B             of ${CASE_NAMES.join(', ')}
  --subject TEXT          those whose name holds TEXT, or is NAME for =NAME; may be given several times
  --runs N                how often each runs; 3 unless told
  --no-bounds             leave out the bounds and the two-core floor
  --destinations          what further destinations cost, and nothing else
  --disk                  what of a disk changes with its closure, and what making and reading it costs; nothing else
  --rows A,B              of --disk: ${DISK_ROWS.join(', ')}; all unless told
  --fleet                 twenty images that share most of what they hold, beside one that holds all of it; nothing else
  --threads A,B           a cold publish with each of so many threads, such as 2,4,8,16, beside skopeo; nothing else
  --ebs                   what uploading a disk as a snapshot takes, beside coldsnap where COLDSNAP names it; nothing else
  --serve                 pulls from serve beside publish and a registry, first bytes and memory; nothing else
  --load                  load into podman (and docker where a daemon answers) beside an archive that is loaded; nothing else
  --pull                  what a store that has the image before fetches after a change, of gzip, zstd and zstd:chunked; nothing else
  --quick                 the small closure, once: whether everything works
  --docs                  write docs/benchmarks.md from the result; docs/serve.md with --load
  --render FILE           print an earlier result again, and measure nothing
`;

const isFixture = (name: string): name is FixtureName => Object.hasOwn(FIXTURES, name);
const isRow = (name: string): name is DiskRow => (DISK_ROWS as readonly string[]).includes(name);
const isCase = (name: string): name is CaseName => (CASE_NAMES as readonly string[]).includes(name);
const listed = (text: string | undefined): string[] => (text ?? '').split(',').filter(Boolean);

/** Reads the words of the command line. Throws Error with the allowed values when one is none of them. */
export function parseOptions(words: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      fixture: { type: 'string' },
      cases: { type: 'string' },
      subject: { type: 'string', multiple: true, default: [] },
      runs: { type: 'string' },
      'no-bounds': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      destinations: { type: 'boolean', default: false },
      disk: { type: 'boolean', default: false },
      rows: { type: 'string' },
      ebs: { type: 'boolean', default: false },
      serve: { type: 'boolean', default: false },
      load: { type: 'boolean', default: false },
      pull: { type: 'boolean', default: false },
      fleet: { type: 'boolean', default: false },
      threads: { type: 'string' },
      docs: { type: 'boolean', default: false },
      render: { type: 'string' },
    },
  });
  const fixture = values.fixture ?? (values.quick ? 'small' : 'large');
  if (!isFixture(fixture)) throw new Error(`--fixture: ${fixture} is none of ${Object.keys(FIXTURES).join(', ')}`);
  const runs = Number(values.runs ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs: ${values.runs} is no number of runs`);
  const cases = listed(values.cases);
  const unknown = cases.find((name) => !isCase(name));
  if (unknown !== undefined) throw new Error(`--cases: ${unknown} is none of ${CASE_NAMES.join(', ')}`);
  const rows = listed(values.rows);
  const unknownRow = rows.find((name) => !isRow(name));
  if (unknownRow !== undefined) throw new Error(`--rows: ${unknownRow} is none of ${DISK_ROWS.join(', ')}`);
  const threads = listed(values.threads);
  const wrong = threads.find((count) => !/^(?:[1-9]|1[0-6])$/.test(count));
  if (wrong !== undefined) throw new Error(`--threads: ${wrong} is not a number of threads from 1 to 16`);
  return {
    fixture,
    cases: cases.length > 0 ? cases.filter(isCase) : CASE_NAMES,
    subjects: values.subject,
    runs,
    bounds: !values['no-bounds'],
    destinations: values.destinations,
    disk: values.disk,
    rows: rows.length > 0 ? rows.filter(isRow) : DISK_ROWS,
    ebs: values.ebs,
    serve: values.serve,
    load: values.load,
    pull: values.pull,
    fleet: values.fleet,
    threads: threads.map(Number),
    docs: values.docs,
    render: values.render,
  };
}
