import type { Effects } from '../core/effects.ts';
import { type Extent, ExtentList } from './extent.ts';

const BLOCK = 512;

/** Bytes of the head of an archive that are looked at: maps of half a million extents. */
const MOST_HEAD = 16 * 1024 * 1024;

/** Reads an archive block by block. */
class Blocks {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest = Buffer.alloc(0);
  #left = MOST_HEAD;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** The next `count` bytes in whole blocks; undefined where the archive ends before, or its head is too long. */
  async take(count: number): Promise<Buffer | undefined> {
    const padded = Math.ceil(count / BLOCK) * BLOCK;
    this.#left -= padded;
    if (this.#left < 0) return undefined;
    while (this.#rest.length < padded) {
      const next = await this.#source.next();
      if (next.done) return undefined;
      this.#rest = Buffer.concat([this.#rest, next.value]);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(padded);
    return taken;
  }
}

/** Numbers that stand in lines of their own, twice as many as the first one says. */
async function readMap(blocks: Blocks): Promise<readonly number[] | undefined> {
  const numbers: number[] = [];
  for (let rest = ''; numbers.length === 0 || numbers.length < 1 + 2 * (numbers[0] ?? 0); ) {
    const block = await blocks.take(BLOCK);
    if (block === undefined) return undefined;
    const lines = (rest + block.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) numbers.push(/^\d+$/.test(line) ? Number(line) : Number.NaN);
    if (Number.isNaN(numbers[0])) return undefined;
  }
  return numbers.slice(1, 1 + 2 * (numbers[0] ?? 0));
}

/** The data of the file that an archive of one file begins with; undefined where it has no map. */
async function readHead(stream: AsyncIterable<Uint8Array>): Promise<readonly number[] | undefined> {
  const blocks = new Blocks(stream);
  const first = await blocks.take(BLOCK);
  // A file without holes has an ordinary header.
  if (first?.[156] !== 'x'.charCodeAt(0)) return undefined;
  const size = Number.parseInt(first.toString('latin1', 124, 136), 8);
  const records = (await blocks.take(size))?.toString('latin1') ?? '';
  if (!records.includes(' GNU.sparse.major=1\n') || (await blocks.take(BLOCK)) === undefined) return undefined;
  return readMap(blocks);
}

/**
 * Where a file of `size` bytes has data, by the map that GNU tar puts before a file with holes ("Storing Sparse Files" of its
 * manual): Node can ask the file system for none. tar is ended as soon as the map is read, and reads no data before. The whole
 * file is one extent where there is no GNU tar, or the file system has no holes: whoever reads it finds zeros then.
 */
export async function sparseMap(
  path: string,
  size: number,
  { exec, signal }: Pick<Effects, 'exec' | 'signal'>,
): Promise<readonly Extent[]> {
  const whole = [{ offset: 0, length: size }];
  const words = [
    '--create',
    '--file=-',
    '--sparse',
    '--format=posix',
    '--absolute-names',
    '--no-recursion',
    '--',
    path,
  ];
  let map: readonly number[] | undefined;
  try {
    await exec('tar', words, {
      env: { LC_ALL: 'C', TAR_OPTIONS: '' },
      signal,
      onStdout: async (stdout) => {
        map = await readHead(stdout);
      },
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return whole;
  }
  return map === undefined ? whole : (extentsOf(map, size) ?? whole);
}

function extentsOf(map: readonly number[], size: number): readonly Extent[] | undefined {
  const extents = new ExtentList(size);
  let end = 0;
  for (let at = 0; at < map.length; at += 2) {
    const [offset = Number.NaN, length = Number.NaN] = map.slice(at, at + 2);
    if (!(offset >= end && length >= 0 && offset + length <= size)) return undefined;
    extents.add(offset, length);
    end = offset + length;
  }
  return extents.all();
}
