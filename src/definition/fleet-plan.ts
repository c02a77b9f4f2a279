import { compareBytes } from '../core/bytes.ts';
import { sum } from '../core/sum.ts';
import type { Closure, StorePathInfo } from './closure.ts';
import { keptLayers, planLayers, roomFor, WORTH_A_LAYER, withoutPaths } from './layer-plan.ts';
import { storeHash } from './store-path.ts';

/** An image whose store layers are planned together with those of others. */
export interface FleetImage {
  readonly closure: Closure;
  /** Layers that its store paths may take at most; see `layerBudget`. */
  readonly budget: number;
  /** Store hashes of the layers of its image before, in their order. */
  readonly previous: readonly (readonly string[])[];
}

/**
 * What a byte that lies in two layers costs, beside one that lies next to bytes of another path: the first is compressed, sent, stored and pulled
 * twice each time, the other is sent again only when its neighbour changes.
 */
const TWICE = 16;

/**
 * Bytes of paths that cost as much as one more image that holds their layer, which asks its registry to mount it: what docker-registry takes for that, two files that
 * it waits for, is about what compressing and sending so many takes, and further away a request takes longer.
 */
const MOUNT = 512 * 1024;

/** From so many bytes on a path is apart, however many images hold it: it would be sent again for a change of what is small. */
const LARGE = 4 * 1024 * 1024;

/** Paths that lie in one layer of each of `images`. */
interface Group {
  readonly paths: readonly StorePathInfo[];
  readonly bytes: number;
  /** A bit for each image; the bit behind them for a layer that is published for another image. */
  readonly images: bigint;
  /** Its first path, which no other group of an image has: what is equal otherwise is put in order by it. */
  readonly first: string;
}

/** An image while it is planned. */
interface Planning {
  readonly image: FleetImage;
  readonly bit: bigint;
  /** Layers of the image before that stay. */
  readonly staying: readonly StorePathInfo[][];
  readonly rest: readonly StorePathInfo[];
}

/**
 * Groups the closures of several images into layers, for each image at most its `budget`, so that as many bytes as possible lie in layers which
 * all images that hold them have alike. For each image every path of its closure is in exactly one of its layers. A pure function that
 * depends neither on the order of the images nor on that of their paths.
 *
 * What is published stays as it is, image by image, by the rule of `planLayers`: the others only decide how that is grouped which is new. There,
 * layers that another image has already are taken as they are; other paths are put together with such as the same images hold, the
 * smallest first, so that the largest stay apart. An image whose new paths no other one has is planned as if it were alone.
 */
export function planFleet(images: readonly FleetImage[]): StorePathInfo[][][] {
  // In an order of their own: where groups cost the same and begin with the same path, as after a split, the first image decides.
  const named = images.map((image) => ({ image, name: nameOf(image) }));
  const sorted = named.sort((a, b) => compareBytes(a.name, b.name)).map(({ image }) => image);
  const plans = planInOrder(sorted);
  const byImage = new Map(sorted.map((image, at) => [image, plans[at] ?? []]));
  return images.map((image) => byImage.get(image) ?? []);
}

/** All that the plan of an image depends on. */
const nameOf = ({ closure, budget, previous }: FleetImage): string =>
  JSON.stringify([closure.map(({ path }) => path).sort(), budget, previous]);

function planInOrder(images: readonly FleetImage[]): StorePathInfo[][][] {
  const planned = images.map((image, at) => begin(image, 1n << BigInt(at)));
  const holders = countHolders(planned);
  const isShared = ({ rest }: Planning): boolean => rest.some(({ path }) => (holders.get(path) ?? 0) > 1);
  const together = planned.filter(isShared);
  const groups = mergeToFit(together, firstGroups(together, planned));
  return planned.map((one) => {
    const { image, bit, staying } = one;
    if (!together.includes(one)) return planLayers(image.closure, image.budget, image.previous);
    const own = groups.filter((group) => (group.images & bit) !== 0n).sort(byWeight);
    // By bytes inside a layer, so that its key does not depend on how it was put together.
    return [...staying, ...own.map(({ paths }) => [...paths].sort((a, b) => compareBytes(a.path, b.path)))];
  });
}

function begin(image: FleetImage, bit: bigint): Planning {
  const { closure, budget, previous } = image;
  const kept = keptLayers(closure, previous);
  const { givenUp } = roomFor(kept, withoutPaths(closure, kept), budget);
  const staying = kept.filter((layer) => !givenUp.has(layer));
  return { image, bit, staying, rest: withoutPaths(closure, staying) };
}

/** By how many images each path is to be put into a new layer, or is in a layer that stays. */
function countHolders(planned: readonly Planning[]): ReadonlyMap<string, number> {
  const holders = new Map<string, number>();
  for (const { image } of planned)
    for (const { path } of image.closure) holders.set(path, (holders.get(path) ?? 0) + 1);
  return holders;
}

const groupOf = (paths: readonly StorePathInfo[], images: bigint): Group => ({
  paths,
  images,
  bytes: sum(paths.map(({ narSize }) => narSize)),
  first: paths.reduce((least, { path }) => (compareBytes(path, least) < 0 ? path : least), paths[0]?.path ?? ''),
});

/** The largest first. */
const byWeight = (a: Group, b: Group): number => b.bytes - a.bytes || compareBytes(a.first, b.first);

/**
 * Each path for itself, but for layers that stay for another image and fit whole into what is new here, and small paths that the same images
 * hold.
 */
function firstGroups(together: readonly Planning[], planned: readonly Planning[]): Group[] {
  const published = publishedLayers(planned);
  const isPublished = 1n << BigInt(planned.length);
  const found = new Map<string, Group>();
  const add = (paths: readonly StorePathInfo[], images: bigint): void => {
    const name = paths.map(({ path }) => path).join(' ');
    const group = found.get(name);
    found.set(name, group ? { ...group, images: group.images | images } : groupOf(paths, images));
  };
  for (const { rest, bit } of together) {
    const open = new Map(rest.map((info) => [storeHash(info.path), info]));
    for (const layer of published) {
      const paths = layer.flatMap((hash) => open.get(hash) ?? []);
      if (paths.length !== layer.length) continue;
      for (const hash of layer) open.delete(hash);
      add(paths, bit | isPublished);
    }
    for (const info of open.values()) add([info], bit);
  }
  return smallTogether([...found.values()], together, isPublished);
}

/** Layers that stay for some image, as store hashes in the order of their paths; the largest first. */
function publishedLayers(planned: readonly Planning[]): readonly (readonly string[])[] {
  const layers = planned.flatMap(({ staying }) => staying.map((paths) => groupOf(paths, 0n)));
  const ordered = layers.map((layer) => ({
    ...layer,
    paths: [...layer.paths].sort((a, b) => compareBytes(a.path, b.path)),
  }));
  return ordered.sort(byWeight).map(({ paths }) => paths.map(({ path }) => storeHash(path)));
}

/**
 * Puts small paths of the same images together, where one of those has more groups than it may have layers, or where they are small beside the requests of so many
 * images.
 */
function smallTogether(groups: readonly Group[], together: readonly Planning[], isPublished: bigint): Group[] {
  const tight = together.filter((one) => excessOf(one, groups) > 0).reduce((bits, { bit }) => bits | bit, 0n);
  const worthOf = ({ images }: Pick<Group, 'images'>): number =>
    Math.max(
      (images & tight) !== 0n ? WORTH_A_LAYER : 0,
      (images & isPublished) === 0n ? Math.min(LARGE, (countBits(images) - 1) * MOUNT) : 0,
    );
  const isSmall = (group: Group): boolean => group.paths.length === 1 && group.bytes < worthOf(group);
  const alike = Map.groupBy(groups.filter(isSmall), ({ images }) => images);
  const joined = [...alike].flatMap(([images, small]) =>
    inParts(small, worthOf({ images })).map((part) =>
      groupOf(
        part.flatMap(({ paths }) => paths),
        images,
      ),
    ),
  );
  return [...groups.filter((group) => !isSmall(group)), ...joined];
}

function countBits(bits: bigint): number {
  let count = 0;
  for (let rest = bits; rest > 0n; rest &= rest - 1n) count += 1;
  return count;
}

/** Small groups in parts of about the size that is worth a layer. */
function inParts(small: readonly Group[], worth: number): Group[][] {
  const parts: Group[][] = [];
  let bytes = worth;
  for (const group of [...small].sort((a, b) => compareBytes(a.first, b.first))) {
    if (bytes >= worth) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)?.push(group);
    bytes += group.bytes;
  }
  return parts;
}

/** Groups of an image beyond those that it has room for. */
const excessOf = ({ bit, image, staying }: Planning, groups: readonly Group[]): number =>
  groups.filter(({ images }) => (images & bit) !== 0n).length - (image.budget - staying.length);

/** The groups of one image, while they are merged. */
class Merging {
  readonly bit: bigint;
  readonly #room: number;
  readonly #groups: Set<Group>;
  #best: Merge | undefined;

  constructor({ bit, image, staying }: Planning, groups: readonly Group[]) {
    this.bit = bit;
    this.#room = image.budget - staying.length;
    this.#groups = new Set(groups.filter(({ images }) => (images & bit) !== 0n));
  }

  get groups(): ReadonlySet<Group> {
    return this.#groups;
  }

  get excess(): number {
    return this.#groups.size - this.#room;
  }

  /** The smallest group, and the one beside which it costs least. */
  best(): Merge {
    if (this.#best) return this.#best;
    const [first, ...rest] = this.#groups;
    const one = rest.reduce((least, group) => (least && byWeight(least, group) > 0 ? least : group), first);
    for (const other of this.#groups) {
      if (one === undefined || other === one) continue;
      const merge = { one, other, cost: costOf(one, other) };
      if (this.#best === undefined || byCost(merge, this.#best) < 0) this.#best = merge;
    }
    if (this.#best) return this.#best;
    throw new RangeError('an image has more layers than it may have, and none that could be merged');
  }

  /** Takes those of `added` that are of this image for what is `gone`. */
  replace(gone: readonly Group[], added: readonly Group[]): void {
    for (const group of gone) this.#groups.delete(group);
    for (const group of added) if ((group.images & this.bit) !== 0n) this.#groups.add(group);
    this.#best = undefined;
  }
}

/**
 * Merges groups until each image has room for its own: where the most are too many, the smallest with the one beside which it costs least. What
 * is merged is so for all images that hold both; those that hold one of them keep it as it was.
 */
function mergeToFit(together: readonly Planning[], first: readonly Group[]): readonly Group[] {
  const merging = together.map((one) => new Merging(one, first));
  for (;;) {
    const most = Math.max(0, ...merging.map(({ excess }) => excess));
    if (most === 0) return [...new Set(merging.flatMap(({ groups }) => [...groups]))];
    const [merge] = merging.flatMap((one) => (one.excess === most ? one.best() : [])).sort(byCost);
    if (merge === undefined) throw new RangeError('an image with too many layers is one of those that are merged');
    const { one, other } = merge;
    const both = one.images & other.images;
    const left = [one, other].flatMap(({ paths, images }) => (images === both ? [] : groupOf(paths, images & ~both)));
    const added = [groupOf([...one.paths, ...other.paths], both), ...left];
    for (const each of merging) if ((each.bit & (one.images | other.images)) !== 0n) each.replace([one, other], added);
  }
}

interface Merge {
  readonly one: Group;
  readonly other: Group;
  readonly cost: number;
}

const byCost = (a: Merge, b: Merge): number =>
  a.cost - b.cost || compareBytes(a.one.first, b.one.first) || compareBytes(a.other.first, b.other.first);

/** What it costs that two groups lie together where they may: bytes that are then in two layers, and bytes that change with each other. */
function costOf(one: Group, other: Group): number {
  const both = one.images & other.images;
  const twice = [one, other].filter(({ images }) => images !== both);
  return sum(twice.map(({ bytes }) => bytes)) * TWICE + one.bytes + other.bytes;
}
