import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileError, withFileErrors } from '../core/file-error.ts';
import type { Log } from '../core/log.ts';
import type { SpanFacts } from '../core/span.ts';
import { truncate } from '../core/table.ts';
import type { Attach } from './attach.ts';
import type { Host } from './host.ts';
import { startTrace, type Trace } from './trace.ts';

/** Characters of a command line that a span repeats: an expression of Nix may have thousands. */
const SHOWN_ARGUMENTS = 400;

type Timed = Pick<Host, 'log' | 'exec' | 'fetch' | 'attach'>;

/** Times that are taken for a file. */
interface Timings<H extends Timed> {
  /** The host, each of whose groups, programs and requests is timed. */
  readonly host: H;
  /** Writes the file, with the command and what else is said of the run; texts pass `hide`. A file that cannot be written is a warning: the work is done. */
  write(command: string, facts: SpanFacts, hide: (text: string) => string): Promise<void>;
}

/** Starts to take times; the file is opened now, so that one which cannot be written is told before the work. Throws UserError `file`. */
export async function startTimings<H extends Timed>(path: string, host: H, now: () => number): Promise<Timings<H>> {
  const file = await withFileErrors(path, 'write', () => open(path, 'w'));
  const trace = startTrace(now);
  const { log, exec, fetch, attach } = host;
  const { group } = log;
  const timedLog: Log = {
    ...log,
    span: trace.begin,
    group: async (heading, work) => {
      const span = trace.begin({ track: 'steps', name: heading });
      try {
        return await group(heading, work);
      } finally {
        span.end();
      }
    },
  };
  return {
    host: {
      ...host,
      ...{ log: timedLog, exec: timedExec(exec, trace), fetch: timedFetch(fetch, trace) },
      ...(attach ? { attach: timedAttach(attach, trace) } : {}),
    },
    write: async (command, facts, hide) => {
      const hidden = (_key: string, value: unknown): unknown => (typeof value === 'string' ? hide(value) : value);
      try {
        await file.writeFile(`${JSON.stringify(trace.document(command, facts), hidden)}\n`);
        log.info(`timings: ${path}`);
      } catch (error) {
        const failure = fileError(error, path, 'write');
        log.warn(failure instanceof Error ? failure.message : String(failure));
      } finally {
        await file.close();
      }
    },
  };
}

const timedExec =
  (exec: Host['exec'], trace: Trace): Host['exec'] =>
  async (program, args, options) => {
    const name = [basename(program), ...verb(args)].join(' ');
    const span = trace.begin({
      track: 'programs',
      name,
      facts: { arguments: truncate(args.join(' '), SHOWN_ARGUMENTS) },
    });
    let facts: SpanFacts = {};
    try {
      const result = await exec(program, args, options);
      facts = { exitCode: result.exitCode };
      return result;
    } finally {
      span.end(facts);
    }
  };

/** Without its arguments, which are a person's own: environments of containers with what is secret in them. */
const timedAttach =
  (attach: Attach, trace: Trace): Attach =>
  async (program, args, env) => {
    const span = trace.begin({ track: 'programs', name: [basename(program), ...verb(args)].join(' ') });
    let facts: SpanFacts = {};
    try {
      const exitCode = await attach(program, args, env);
      facts = { exitCode };
      return exitCode;
    } finally {
      span.end(facts);
    }
  };

/** What a program is asked to do: its first plain word that is no option's value, else its first option. */
function verb(args: readonly string[]): string[] {
  const word = args.find((arg, at) => /^[a-z][a-z-]*$/.test(arg) && !(args[at - 1] ?? '').startsWith('-'));
  const found = word ?? args.find((arg) => arg.startsWith('--'));
  return found === undefined ? [] : [found];
}

const timedFetch =
  (fetch: Host['fetch'], trace: Trace): Host['fetch'] =>
  async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET');
    // Queries hold signatures; a path names what is asked for.
    const span = trace.begin({
      track: 'requests',
      name: `${method} ${url.host}`,
      facts: { path: url.pathname },
    });
    let facts: SpanFacts = { status: 'none' };
    try {
      const response = await fetch(input, init);
      facts = { status: response.status };
      return response;
    } finally {
      span.end(facts);
    }
  };
