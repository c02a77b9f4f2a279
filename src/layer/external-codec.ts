import { crc32 } from 'node:zlib';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { CodecName, Compression } from '../oci/compression.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { type Blocks, type Codec, codecOf, type Release } from './codec.ts';
import type { FrameMaker } from './frame-maker.ts';

/** @internal Codecs that are programs; both write gzip. */
export type Compressor = 'igzip' | 'pigz';

const isProgram = (name: CodecName): name is Compressor => name === 'igzip' || name === 'pigz';

/**
 * Arguments beside the level. `--no-name` keeps name and time out, which both would write even from a pipe. igzip may use
 * one thread: built with threads, it cuts its blocks otherwise. pigz writes the same bytes with any number of threads, but
 * not with other block sizes, so its own is stated.
 */
const ARGUMENTS: Readonly<Record<Compressor, readonly string[]>> = {
  igzip: ['--stdout', '--no-name', '--threads', '1'],
  pigz: ['--stdout', '--no-name', '--blocksize', '128'],
};

/** pigz takes further options from these, which would change the bytes. */
const NO_OPTIONS = { GZIP: '', PIGZ: '' };

/** gzip's trailer: CRC-32 and length of what was compressed, little-endian (RFC 1952, section 2.3.1). */
const TRAILER = 8;

/**
 * The codec that a definition chose, for a tar of which nothing else is known: zstd:chunked is made of entries, and is plain zstd here. Programs are
 * run by `exec`, until `signal` fires.
 */
export function chosenCodec({ name, level }: Compression, tools: CodecTools): Codec {
  if (isProgram(name)) return externalCodec(name, level, tools);
  return codecOf(name === 'zstd:chunked' ? 'zstd' : name, level, tools.frames);
}

export type ProgramTools = Pick<Effects, 'exec' | 'signal'>;

interface CodecTools extends ProgramTools {
  /** What makes frames of zstd, for this thread. */
  readonly frames?: FrameMaker;
}

/**
 * @internal gzip made by igzip or pigz, which must be on PATH. Its bytes depend on the program's version too, and igzip's on the
 * processor it chooses its code for. `compress` throws UserError `file` where the program is missing, fails, or writes what
 * is not its input compressed; `cancelled` when the signal fires. The program is ended when the reader gives up.
 */
export const externalCodec = (
  name: Compressor,
  level: Compression['level'],
  { exec, signal }: ProgramTools,
): Codec => ({
  name: 'gzip',
  mediaType: MEDIA_TYPE.layerGzip,
  async *compress(blocks, { release }) {
    const gaveUp = new AbortController();
    const seal = createSeal();
    // Without buffers: the program waits until a piece is taken.
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const writer = pipe.writable.getWriter();
    const running = exec(name, [`-${level}`, ...ARGUMENTS[name]], {
      env: NO_OPTIONS,
      input: counted(blocks, seal, release),
      onStdout: async (stdout) => {
        for await (const chunk of stdout) await writer.write(seal.written(chunk));
      },
      signal: AbortSignal.any([signal, gaveUp.signal]),
    }).then(async ({ exitCode, stderr }) => {
      if (exitCode !== 0) throw failed(name, `ended with ${exitCode}`, stderr);
      if (!seal.fits()) throw failed(name, 'wrote what is not its input compressed', stderr);
      await writer.close();
    });
    // The reader gets what went wrong, where there is still one.
    const settled = running.catch((error: unknown) => writer.abort(error)).catch(() => undefined);
    try {
      yield* pipe.readable;
    } finally {
      gaveUp.abort();
      await settled;
    }
  },
});

const failed = (name: Compressor, what: string, stderr: string): UserError =>
  new UserError('file', `${name} ${what}${stderr && `: ${stderr.trim()}`}`, {
    hint: `Run ${name} by hand, or take compression = "gzip", which needs no program.`,
  });

/** What goes in, counted for the seal; a block is free once the program's pipe has taken it. */
async function* counted(blocks: Blocks, seal: Seal, release: Release = () => {}) {
  for await (const block of blocks) {
    seal.read(block);
    try {
      yield block;
    } finally {
      release(block);
    }
  }
}

/** Compares what a program read with what it says it wrote. */
interface Seal {
  read(block: Uint8Array): void;
  /** Passes a piece of the output through. */
  written(chunk: Uint8Array): Uint8Array;
  /** Whether the output is gzip without name and time, and its trailer is that of the input. */
  fits(): boolean;
}

function createSeal(): Seal {
  let crc = 0;
  let length = 0;
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  return {
    read: (block) => {
      crc = crc32(block, crc);
      length = (length + block.length) % 2 ** 32;
    },
    written: (chunk) => {
      if (head.length < TRAILER) head = Buffer.concat([head, chunk.subarray(0, TRAILER - head.length)]);
      tail =
        chunk.length < TRAILER
          ? Buffer.concat([tail, chunk]).subarray(-TRAILER)
          : Buffer.from(chunk.subarray(-TRAILER));
      return chunk;
    },
    fits: () =>
      // Deflate, no flags, no time.
      head.equals(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])) &&
      tail.length === TRAILER &&
      tail.readUInt32LE(0) === crc &&
      tail.readUInt32LE(4) === length,
  };
}
