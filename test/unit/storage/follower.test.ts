import { setImmediate as tick } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { type BlobWriter, BrokenUpload, type ImageDestination } from '../../../src/storage/destination.ts';
import { Follower } from '../../../src/storage/follower.ts';
import { sendBlob } from '../../../src/storage/send-blob.ts';

const MIB = 1024 * 1024;
const BYTES = Buffer.alloc(20 * MIB, 'x');
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length };

interface Behaviour {
  readonly write?: (at: number) => Promise<void> | void;
  readonly open?: () => Promise<void>;
  readonly commit?: () => Promise<void>;
  readonly has?: boolean;
}

/** A destination that keeps what it got. */
const destinationOf = ({ write, open, commit, has = false }: Behaviour = {}) => {
  const seen: string[] = [];
  let kept: Buffer[] = [];
  let writes = 0;
  const writer: BlobWriter = {
    write: async (chunk) => {
      writes += 1;
      await write?.(writes);
      kept.push(Buffer.from(chunk));
    },
    commit: async ({ digest }) => {
      await commit?.();
      seen.push(digestOf(Buffer.concat(kept)) === digest ? 'committed' : 'damaged');
    },
    abort: async () => void seen.push('aborted'),
  };
  const openBlob = async (): Promise<BlobWriter> => {
    await open?.();
    kept = [];
    seen.push('opened');
    return writer;
  };
  return { seen, destination: { openBlob, hasBlob: async () => has } as unknown as ImageDestination };
};

/** Sends a blob by a buffer that is used again for each chunk, as makers of layers do. */
const send = async (follower: Follower, chunks = 20): Promise<string[]> => {
  const main = destinationOf();
  await sendBlob(
    async (sink) => {
      const buffer = Buffer.alloc(MIB);
      for (let at = 0; at < chunks; at += 1) {
        buffer.fill('x');
        await sink(buffer);
        buffer.fill('?');
        await tick();
      }
      return { ...DESCRIPTOR, digest: digestOf(BYTES.subarray(0, chunks * MIB)) };
    },
    [main.destination],
    undefined,
    [follower.begin()],
  );
  return main.seen;
};

it('gets the bytes of the one pass', async () => {
  const { destination, seen } = destinationOf();
  const follower = new Follower(destination);
  expect(await send(follower)).toEqual(['opened', 'committed']);
  await follower.settle();
  expect(seen).toEqual(['opened', 'committed']);
});

const never = (): Promise<void> => new Promise(() => {});

it.each<[string, Behaviour]>([
  ['never opens', { open: never }],
  ['never takes a byte', { write: never }],
  ['never ends', { commit: never }],
])('one that %s delays nobody', async (_name, behaviour) => {
  const { destination, seen } = destinationOf(behaviour);
  const follower = new Follower(destination);
  expect(await send(follower)).toEqual(['opened', 'committed']);
  expect(seen).not.toContain('committed');
});

it('one that falls behind by more than waits for it takes no further blob, and keeps nothing', async () => {
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { destination, seen } = destinationOf({ write: () => held });
  const follower = new Follower(destination);
  await send(follower);
  goOn();
  await follower.settle();
  expect(seen).toEqual(['opened', 'aborted']);
  await send(follower);
  await follower.settle();
  expect(seen).toEqual(['opened', 'aborted']);
});

it('what has been taken makes room again', async () => {
  const { destination, seen } = destinationOf({ write: () => tick() });
  const follower = new Follower(destination);
  for (let blob = 0; blob < 3; blob += 1) {
    await send(follower, 8);
    await follower.settle();
  }
  // Whole, too, though the chunks were used again before it took them.
  expect(seen).toEqual(['opened', 'committed', 'opened', 'committed', 'opened', 'committed']);
});

const full = new UserError('registry', 'no space');

it.each<[string, Behaviour]>([
  ['opens', { open: () => Promise.reject(full) }],
  ['writes', { write: () => Promise.reject(full) }],
  ['commits', { commit: () => Promise.reject(full) }],
])('a failure when it %s is its own, and told at the end', async (_name, behaviour) => {
  const { destination } = destinationOf(behaviour);
  const follower = new Follower(destination);
  expect(await send(follower)).toEqual(['opened', 'committed']);
  await expect(follower.settle()).rejects.toBe(full);
});

it('what must be ready before is waited for, and its failure told', async () => {
  const { destination, seen } = destinationOf();
  const follower = new Follower(destination, Promise.reject(full));
  expect(await send(follower)).toEqual(['opened', 'committed']);
  await expect(follower.settle()).rejects.toBe(full);
  expect(seen).toEqual([]);
});

it('an upload that broke is left to the copy afterwards', async () => {
  const broken = new BrokenUpload(full, () => Promise.reject(full));
  const { destination, seen } = destinationOf({ write: () => Promise.reject(broken) });
  const follower = new Follower(destination);
  await send(follower);
  await follower.settle();
  expect(seen).toEqual(['opened']);
});

it('nothing is sent that it has', async () => {
  const { destination, seen } = destinationOf({ has: true });
  const follower = new Follower(destination);
  const lane = follower.begin(DESCRIPTOR);
  lane.write(BYTES.subarray(0, MIB));
  lane.end(DESCRIPTOR);
  await follower.settle();
  expect(seen).toEqual([]);
});

it('a blob that others gave up is not kept', async () => {
  const { destination, seen } = destinationOf();
  const follower = new Follower(destination);
  const failing = destinationOf({ write: (at) => (at === 2 ? Promise.reject(full) : undefined) });
  const work = sendBlob(
    async (sink) => {
      for (let at = 0; at < 3; at += 1) await sink(BYTES.subarray(0, MIB));
      return DESCRIPTOR;
    },
    [failing.destination],
    undefined,
    [follower.begin()],
  );
  await expect(work).rejects.toBe(full);
  await follower.settle();
  expect(seen.at(-1)).not.toBe('committed');
});
