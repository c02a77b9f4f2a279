import { UserError } from '../core/error.ts';

/** Beyond these the registry, or the thread that speaks to it, is what one waits for. */
const MOST = 16;

/** As many as there have always been, whatever a container allows. */
const ALWAYS = 4;

/** MiB that a process takes without its threads, and that each thread takes with its upload: zstd:chunked most, others 20 to 30. */
const WITHOUT = 110;
const EACH = 35;

/** The part of a machine's or container's memory that is taken at most: what runs beside needs the rest. */
const PART = 1 / 2;

const MIB = 1024 * 1024;

interface Machine {
  /** Cores that this process may use. */
  readonly cores: number;
  /** Bytes of memory that it may use, all in all. */
  readonly memory: number;
  /** What NIX_IMAGES_THREADS says. */
  readonly stated: string | undefined;
}

/**
 * Threads that make layers: as many as cores up to 16, and no more than half of the memory is for (110 MiB and 35 MiB a thread), or what is
 * stated. Throws UserError `input` where that is not a number of threads.
 */
export function threadCount({ cores, memory, stated }: Machine): number {
  if (stated === undefined) {
    const fit = Math.floor((memory * PART - WITHOUT * MIB) / (EACH * MIB));
    return Math.min(cores, MOST, Math.max(ALWAYS, fit));
  }
  const count = /^\d{1,2}$/.test(stated) ? Number(stated) : 0;
  if (count >= 1 && count <= MOST) return count;
  throw new UserError('input', `NIX_IMAGES_THREADS is not a valid number of threads: ${stated}`, {
    hint: `State a number from 1 to ${MOST}, or leave it out: then there are as many threads as cores.`,
  });
}
