import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import { digestHex } from '../oci/digest.ts';
import { askEngine, checkDone } from './call-engine.ts';
import type { Argv, Engine, ImageToLoad } from './engine.ts';

/** How an engine got an image: it had it, it pulled what it did not have, or it read all of it. */
type Way = 'had' | 'pulled' | 'read';

interface LoadedByEngine {
  /** What the engine has it under. */
  readonly name: string;
  readonly way: Way;
}

/** Where an engine gets an image from: it pulls from this process, or reads all of it. */
interface ImageSource {
  /** Whether anything of the image was fetched from this process. */
  isFetched(): boolean;
  /** All of it, under the name that it is given. */
  archive(name: string): AsyncIterable<Uint8Array>;
}

interface LoadTools extends Pick<Effects, 'exec' | 'log'> {
  /** Makes a folder. */
  readonly tempDir: () => Promise<string>;
}

/**
 * Has an engine pull an image and call it by its own name; of the name that it was pulled by nothing stays. One that has the image already is
 * asked for nothing more. One that fetches nothing reads all of it, whatever it says: its loopback address may be another one, where another
 * registry may answer, and its settings may refuse this one. Two at once do not disturb each other. Throws UserError `file` with what the
 * engine said.
 */
export async function loadIntoEngine(
  engine: Engine,
  image: ImageToLoad,
  { isFetched, archive }: ImageSource,
  { exec, log, tempDir }: LoadTools,
): Promise<LoadedByEngine> {
  const name = engine.fullName(image.name);
  if (await hasImage(engine, image, exec)) return { name, way: 'had' };
  const pull = engine.pull(image);
  const pulled = await askEngine(engine, pull, exec);
  if (!pulled.isDone && !isFetched()) {
    log.debug(pulled.said);
    log.info(`${engine.name} cannot pull from here, so all of ${image.name} is sent to it`);
    await sendArchive(engine, image, () => archive(name), { exec, tempDir });
    return { name, way: 'read' };
  }
  checkDone(pulled, pull);
  try {
    const tag = engine.tag(image);
    checkDone(await askEngine(engine, tag, exec), tag);
  } finally {
    const [program, ...args] = engine.forget(image);
    // The image is there; a name too many is nothing to fail for.
    await exec(program, args, { cleanup: true, env: engine.env }).catch(() => undefined);
  }
  return { name, way: 'pulled' };
}

/** What nerdctl says to a standard input that is a socket, as Node's children have: it has no size, and is not a named pipe (nerdctl, `pkg/imgutil/load`). */
const WANTS_PIPE = /stdin is empty/;

async function sendArchive(
  engine: Engine,
  image: ImageToLoad,
  archive: () => AsyncIterable<Uint8Array>,
  { exec, tempDir }: Omit<LoadTools, 'log'>,
): Promise<void> {
  const load = engine.load(image);
  const read = await askEngine(engine, load, exec, { input: archive() });
  if (!engine.loadFile || !WANTS_PIPE.test(read.said)) return checkDone(read, load);
  const pipe = join(await tempDir(), 'image');
  const make: Argv = ['mkfifo', pipe];
  checkDone(await askEngine(engine, make, exec), make);
  const loadFile = engine.loadFile(image, pipe);
  // An engine waits without end for a pipe that nobody opens, and of a layer that has changed it only says that the archive ends too early.
  const broken = new AbortController();
  const done = new AbortController();
  const stop = (error: unknown): void => broken.abort(error);
  const feeding = feedPipe(pipe, watched(archive(), stop), exec, done.signal).catch(stop);
  try {
    checkDone(await askEngine(engine, loadFile, exec, { signal: broken.signal }), loadFile);
  } catch (error) {
    throw broken.signal.aborted ? broken.signal.reason : error;
  } finally {
    done.abort();
    await feeding;
  }
}

/** The same bytes; `onFailure` hears at once of what they end with. */
async function* watched(bytes: AsyncIterable<Uint8Array>, onFailure: (error: unknown) => void) {
  try {
    yield* bytes;
  } catch (error) {
    onFailure(error);
    throw error;
  }
}

/** What a shell says of a program whose reader is gone: 128 and SIGPIPE. */
const READER_GONE = 141;

/** Writes an archive into a named pipe until its reader has enough. Throws what `archive` throws, and UserError `file`. */
async function feedPipe(
  pipe: string,
  archive: AsyncIterable<Uint8Array>,
  exec: Exec,
  signal: AbortSignal,
): Promise<void> {
  const words = [`of=${pipe}`, 'bs=1M', 'status=none'];
  const { exitCode, stderr } = await exec('dd', words, { input: archive, signal });
  if (exitCode !== 0 && exitCode !== READER_GONE)
    throw new UserError('file', `cannot write the image into ${pipe}: ${stderr.trim() || `dd ended with ${exitCode}`}`);
}

/** Whether the image is there under its own name. What cannot be asked is not there. */
async function hasImage(engine: Engine, image: ImageToLoad, exec: Exec): Promise<boolean> {
  const { isDone, stdout } = await askEngine(engine, engine.find(image), exec);
  return isDone && image.ids.some((id) => stdout.includes(digestHex(id)));
}
