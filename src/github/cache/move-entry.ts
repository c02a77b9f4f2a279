import { copyFile, link, lstat, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeJson } from '../../core/decode-json.ts';
import type { Effects } from '../../core/effects.ts';
import { cancelled } from '../../core/error.ts';
import type { ExecResult } from '../../core/exec.ts';
import { systemCode, withFileErrors } from '../../core/file-error.ts';
import type { Env } from '../runtime.ts';
import { type TransferFolders, transferEnvironment } from './cache-service.ts';
import { readClientLog } from './client-log.ts';
import { type EntryOrder, Talk, TIME_LIMIT } from './talk.ts';
import { ENTRY_FILE, TRANSFER_PROCESS, type Transfer, transferReportSchema } from './transfer.ts';
import type { Said } from './verdict.ts';

/**
 * GNU tar reads this before its arguments. Whoever may write to a repository's caches could store an archive under a key of
 * ours, and the client has it unpacked wherever its names lead, links included. So every name in it becomes the one that is
 * wanted, in a folder that is empty.
 */
const TAR_OPTIONS = `--transform=s,.*,${ENTRY_FILE}, --no-same-owner`;

/** What moving entries takes of the world. */
export interface TransferDeps extends Pick<Effects, 'exec' | 'log' | 'signal'> {
  readonly env: Env;
  /** This program, which is started once for each entry. */
  readonly program: URL;
  /** A new empty folder of its own. */
  readonly tempDir: () => Promise<string>;
}

/** What moving one entry takes besides. */
interface MoveDeps extends TransferDeps {
  readonly compiled: string;
  /** Asked when the turn has come: whether nothing is to be moved any more. */
  readonly isOff: () => boolean;
}

/** Two such processes are there at once, and each holds an entry of 64 MB: 5 to 10 MB less of what glibc keeps for each thread. */
const ONE_ARENA = { MALLOC_ARENA_MAX: '1' };

/** Chunks of an entry die young: 1 MiB for them, in place of 16. */
const SMALL_YOUNG = '--max-semi-space-size=1';

const NO_SECRETS = { lines: [], secrets: [] };

/**
 * Starts the process that moves one entry once it is told which and its turn comes, and gives what it said, which `verdict.ts` reads;
 * undefined where nothing was to be moved any more by then. In the folder `compiled` Node keeps the client as it has compiled it, so that the
 * next one starts in two thirds of the time. What it leaves behind is removed, however it ends: when `signal` fires it is stopped, and UserError `cancelled` thrown. Throws UserError `file` where this
 * machine's files refuse.
 */
export async function moveEntry(
  deps: MoveDeps,
  verb: Transfer['verb'],
  ordered: Promise<EntryOrder | undefined>,
): Promise<Said | undefined> {
  const root = await deps.tempDir();
  const folders = { work: join(root, 'work'), temp: join(root, 'temp') };
  try {
    await mkdir(folders.work);
    await mkdir(folders.temp);
    const inside = join(folders.work, ENTRY_FILE);
    const sent = verb === 'save' ? (await ordered)?.moved.file : undefined;
    if (sent !== undefined) await withFileErrors(sent, 'read', () => place(sent, inside));
    const talk = new Talk(ordered, deps.isOff);
    const said = await run(deps, folders, { verb, talk });
    const file = talk.moved?.file;
    if (said === undefined || verb !== 'restore' || file === undefined || said.report.found === undefined) return said;
    if (await isFile(inside)) {
      await withFileErrors(file, 'write', () => take(inside, file));
      return said;
    }
    return { ...said, report: { thrown: 'there is no file in it' } };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const isFile = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Puts `file` at `to`, without a copy where the file system can. */
async function place(file: string, to: string): Promise<void> {
  try {
    await link(file, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
    await copyFile(file, to);
  }
}

async function take(file: string, to: string): Promise<void> {
  try {
    await rename(file, to);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await copyFile(file, to);
  }
}

async function run(
  deps: MoveDeps,
  folders: TransferFolders,
  { verb, talk }: { readonly verb: Transfer['verb']; readonly talk: Talk },
): Promise<Said | undefined> {
  const { exec, env, program, log, signal, compiled } = deps;
  let result: ExecResult;
  try {
    result = await exec(process.execPath, [SMALL_YOUNG, fileURLToPath(program), `--process=${TRANSFER_PROCESS}`], {
      cwd: folders.work,
      env: {
        ...transferEnvironment(env, folders),
        NODE_COMPILE_CACHE: compiled,
        ...ONE_ARENA,
        ...(verb === 'restore' ? { TAR_OPTIONS } : {}),
      },
      input: talk.say(),
      onStdout: (chunks) => talk.listen(chunks),
      signal: talk.late,
    });
  } catch (error) {
    if (signal.aborted || !talk.late.aborted) throw error;
    return {
      report: { thrown: `Failed to make request after 1 attempts: ${TIME_LIMIT / 60_000} minutes have passed` },
      log: NO_SECRETS,
      stderr: '',
    };
  } finally {
    talk.end();
  }
  if (talk.isSkipped || (talk.moved === undefined && result.exitCode === 0)) {
    if (signal.aborted) throw cancelled(signal.reason);
    return undefined;
  }
  const { stderr } = result;
  const lines = talk.heard.trimEnd().split('\n');
  const said = readClientLog(lines.slice(0, -1).join('\n'));
  // They are in URLs of the client's debug lines.
  for (const secret of said.secrets) log.mask(secret, 'server');
  for (const { level, text } of said.lines) if (level !== 'debug' && text !== '') log.debug(`@actions/cache: ${text}`);
  return { report: reportIn(lines.at(-1) ?? '', result), log: said, stderr };
}

function reportIn(line: string, { exitCode, stderr }: ExecResult): Said['report'] {
  const ended = stderr.trim().split('\n').at(-1);
  if (exitCode !== 0)
    return { thrown: `the process that moves entries ended with ${exitCode}${ended ? `: ${ended}` : ''}` };
  return decodeJson(line, transferReportSchema, { code: 'file', what: 'the report of the process that moves entries' });
}
