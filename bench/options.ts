import { parseArgs } from 'node:util';
import { CASE_NAMES, type CaseName } from './cases.ts';
import { DISK_ROWS, type DiskRow } from './disk/rows.ts';
import { FIXTURES, type FixtureName } from './fixture/fixture.ts';

/** Options that have one thing measured, and nothing else. */
const ALONE_NAMES = ['destinations', 'disk', 'ebs', 'fleet', 'load', 'pull', 'serve', 'threads'] as const;

export type AloneName = (typeof ALONE_NAMES)[number];

export interface Options {
  readonly fixture: FixtureName;
  readonly cases: readonly CaseName[];
  /** Parts of names, or whole ones after `=`, any of which chooses a subject; all when empty. */
  readonly subjects: readonly string[];
  readonly runs: number;
  /** Whether bounds and the floor are measured as well. */
  readonly bounds: boolean;
  /** What is measured, and nothing else; undefined for the publishes of all programs. */
  readonly alone: AloneName | undefined;
  /** The parts of what is measured of disks. */
  readonly rows: readonly DiskRow[];
  /** Numbers of threads with which the closure is published. */
  readonly threads: readonly number[];
  /** Whether the page that has the figures is written anew from the result. */
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

/** Names of a list with commas; all of them where nothing is given. Throws Error with the allowed ones at another. */
function listed<Name extends string>(
  option: string,
  text: string | undefined,
  names: readonly Name[],
): readonly Name[] {
  const given = (text ?? '').split(',').filter(Boolean);
  const isName = (word: string): word is Name => (names as readonly string[]).includes(word);
  const unknown = given.find((word) => !isName(word));
  if (unknown !== undefined) throw new Error(`--${option}: ${unknown} is none of ${names.join(', ')}`);
  return given.length > 0 ? given.filter(isName) : names;
}

/** Throws Error for what is not a list of 1 to 16. */
function threadsIn(text: string | undefined): readonly number[] {
  const counts = (text ?? '').split(',').filter(Boolean);
  const wrong = counts.find((count) => !/^(?:[1-9]|1[0-6])$/.test(count));
  if (wrong !== undefined) throw new Error(`--threads: ${wrong} is not a number of threads from 1 to 16`);
  return counts.map(Number);
}

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
      destinations: { type: 'boolean' },
      disk: { type: 'boolean' },
      rows: { type: 'string' },
      ebs: { type: 'boolean' },
      serve: { type: 'boolean' },
      load: { type: 'boolean' },
      pull: { type: 'boolean' },
      fleet: { type: 'boolean' },
      threads: { type: 'string' },
      docs: { type: 'boolean', default: false },
      render: { type: 'string' },
    },
  });
  const fixture = values.fixture ?? (values.quick ? 'small' : 'large');
  if (!isFixture(fixture)) throw new Error(`--fixture: ${fixture} is none of ${Object.keys(FIXTURES).join(', ')}`);
  const runs = Number(values.runs ?? (values.quick ? 1 : 3));
  if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs: ${values.runs} is not a number of runs`);
  const threads = threadsIn(values.threads);
  const [alone, other] = ALONE_NAMES.filter((name) => values[name]);
  if (other !== undefined) throw new Error(`--${other}: is measured alone, without --${alone}`);
  if (values.docs && alone !== undefined && alone !== 'load') throw new Error(`--docs: no page has it from --${alone}`);
  return {
    fixture,
    cases: listed('cases', values.cases, CASE_NAMES),
    subjects: values.subject,
    runs,
    bounds: !values['no-bounds'],
    alone,
    rows: listed('rows', values.rows, DISK_ROWS),
    threads,
    docs: values.docs,
    render: values.render,
  };
}
