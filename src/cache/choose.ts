import { savedPerByte, type Valued } from './value.ts';

/** A path that is stored, or may be. */
export interface Item extends Valued {
  readonly path: string;
  /** The bytes of each pack that it is in; none for one that is not stored yet. */
  readonly pieces: readonly { readonly pack: number; readonly length: number }[];
}

/** A pack that may be given up. */
interface Holding {
  readonly bytes: number;
}

interface Room {
  /** Bytes for all packs, old and new. */
  readonly capacity: number;
  /** Bytes of packs that may be read and written again in one run. */
  readonly rewrite: number;
}

type Fate = 'kept' | 'compacted' | 'dropped';

interface Choice {
  /** Paths that stay or are stored. */
  readonly chosen: ReadonlySet<string>;
  /** What becomes of each pack. */
  readonly fates: readonly Fate[];
  /** Bytes of all packs afterwards, as far as new ones can be told before they are packed. */
  readonly bytes: number;
}

/** A stored path is worth this much more than a new one: replacing it costs an upload, and nothing is sent to be dropped soon. */
const STORED_ALREADY = 1.25;

/** Packs of which less is needed are written again in any case. */
const HALF_ALIVE = 0.5;

/** Packs of which more is needed are not, however little room there is: it would gain a tenth of what it costs. */
const MOSTLY_ALIVE = 0.9;

/** How much more must be kept for packs to be written again: an upload costs time in every run, and a hundredth is nothing. */
const WORTH_REWRITING = 1.01;

/** Halvings: the last one is about a thousandth of the room. */
const ROUNDS = 10;

/**
 * Chooses what to keep and what to store, by value a byte, so that all packs fit; what is not needed of them counts too. Packs
 * are written again only where that keeps more than leaving them as they are.
 */
export function choose(items: readonly Item[], packs: readonly Holding[], room: Room): Choice {
  const ranked = items
    .map((item) => ({ item, value: savedPerByte(item) * (item.pieces.length > 0 ? STORED_ALREADY : 1) }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value || (a.item.path < b.item.path ? -1 : 1))
    .map(({ item }) => item);
  const plain = fitted(ranked, items, packs, { ...room, rewrite: 0 });
  if (room.rewrite === 0) return plain;
  const rewritten = fitted(ranked, items, packs, room);
  const worth = ({ chosen }: Choice): number =>
    ranked.reduce((sum, item) => sum + (chosen.has(item.path) ? savedPerByte(item) * item.bytes : 0), 0);
  return worth(rewritten) > worth(plain) * WORTH_REWRITING ? rewritten : plain;
}

/** The best choice of which all packs fit: packs hold more than what is chosen of them, so how much to choose is found by halving. */
function fitted(ranked: readonly Item[], items: readonly Item[], packs: readonly Holding[], room: Room): Choice {
  const all = settle(fill(ranked, room.capacity), items, packs, room);
  if (all.bytes <= room.capacity) return all;
  let best = settle([], items, packs, { ...room, rewrite: 0 });
  let least = 0;
  let most = room.capacity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const middle = (least + most) / 2;
    const choice = settle(fill(ranked, middle), items, packs, room);
    if (choice.bytes > room.capacity) most = middle;
    else {
      least = middle;
      best = choice;
    }
  }
  return best;
}

/** The best items that fit; a large one that does not fit leaves room for smaller ones. */
function fill(ranked: readonly Item[], target: number): Item[] {
  let left = target;
  return ranked.filter(({ bytes }) => {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

/** What becomes of the packs when `wanted` is to be kept. */
function settle(wanted: readonly Item[], items: readonly Item[], packs: readonly Holding[], room: Room): Choice {
  const alive = new Array<number>(packs.length).fill(0);
  for (const { pack, length } of wanted.flatMap(({ pieces }) => pieces)) alive[pack] = (alive[pack] ?? 0) + length;
  const shareOf = (pack: number): number => (alive[pack] ?? 0) / (packs[pack]?.bytes ?? 1);
  const fates = packs.map((_, pack): Fate => (alive[pack] ? 'kept' : 'dropped'));
  const news = wanted.reduce((sum, { pieces, bytes }) => sum + (pieces.length === 0 ? bytes : 0), 0);
  let bytes = packs.reduce((sum, pack, at) => sum + (fates[at] === 'kept' ? pack.bytes : 0), news);
  let rewrite = room.rewrite;
  const partly = packs.map((_, at) => at).filter((at) => fates[at] === 'kept' && shareOf(at) < MOSTLY_ALIVE);
  for (const at of partly.sort((a, b) => shareOf(a) - shareOf(b))) {
    const size = packs[at]?.bytes ?? 0;
    if (size > rewrite || (shareOf(at) >= HALF_ALIVE && bytes <= room.capacity)) continue;
    fates[at] = 'compacted';
    rewrite -= size;
    bytes -= size - (alive[at] ?? 0);
  }
  const stays = packs.reduce((sum, pack, at) => sum + (fates[at] === 'kept' ? pack.bytes : 0), 0);
  // A frame is written again as a whole, though it go on in a pack that stays.
  const moved = wanted.filter(({ pieces }) => pieces.some(({ pack }) => fates[pack] === 'compacted'));
  const chosen = new Set(wanted.map(({ path }) => path));
  // What lies in packs that stay costs nothing more.
  for (const { path, pieces } of items) {
    if (pieces.length > 0 && pieces.every(({ pack }) => fates[pack] === 'kept')) chosen.add(path);
  }
  return { chosen, fates, bytes: stays + news + moved.reduce((sum, item) => sum + item.bytes, 0) };
}
