import { z } from 'zod';

/** The word of argv that makes this program the process which moves one entry. */
export const TRANSFER_PROCESS = 'cache-transfer';

/**
 * The name that an entry's file has inside. It is always the same: the service finds an entry only when asked with the very
 * paths it was stored with, and a lookup by the beginning of a key does not know the rest.
 */
export const ENTRY_FILE = 'nix-images-entry';

/**
 * The line by which the client says that it knows an entry's size, and will read it now. It has none where it reads through a
 * stream, which takes it no memory to speak of: from hosts that are not Azure's.
 */
export const READS = /^::debug::Downloading segment at offset 0 /m;

/** The line by which the process asks for its turn. It goes on when a line comes on standard input, and ends when that ends. */
export const ASKS = '::debug::waits for its turn';

/** The line by which the client says that it has written what it read to a file, and begins to unpack it: only now may the next one's bytes come, for this one held all of its own. */
export const TRANSFERRED = /^Cache Size: ~/m;

/** What the process is to do, as JSON on its standard input. */
export const transferSchema = z.object({
  /** `look-up` asks whether there is an entry, without its content. */
  verb: z.enum(['save', 'restore', 'look-up']),
  /** For `restore` and `look-up` the newest entry whose key begins so is found as well. */
  key: z.string(),
});

export type Transfer = Readonly<z.infer<typeof transferSchema>>;

/** What came of it: the last line of its standard output. All other lines are the client's. */
export const transferReportSchema = z.object({
  /** The key that was found; absent for `save`. */
  found: z.string().optional(),
  /** What the client returned from a `save`: an id, or -1. */
  id: z.number().optional(),
  /** What the client threw. */
  thrown: z.string().optional(),
});

export type TransferReport = Readonly<z.infer<typeof transferReportSchema>>;
