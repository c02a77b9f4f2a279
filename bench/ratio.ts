import type { Row } from './summary.ts';

/**
 * How much larger than another gzip output one may be and still count as like it. A fast compressor that makes much larger
 * layers is no match for one that does not.
 */
const GZIP_TOLERANCE = 0.05;

export interface Ratio {
  /** The best peer's wall time by this one's: above 1, this one is faster than every peer of like output. */
  readonly value: number;
  /** The peer it is measured against. */
  readonly peer: string;
  /** Whether no peer's output was like it, so that it is measured against one with other output. */
  readonly unlike: boolean;
}

/**
 * Whether `one` may be measured against `peer`: the same codec, and of gzip not more than 5 % larger. A peer with larger
 * output is like enough: that only helps the peer.
 */
export const isLike = (one: Row, peer: Row): boolean =>
  one.codec === peer.codec && (one.codec !== 'gzip' || one.outputBytes <= peer.outputBytes * (1 + GZIP_TOLERANCE));

/** Compares a row with the fastest peer of like output in its case; undefined when there is none of its codec. */
export function ratioOf(one: Row, rows: readonly Row[]): Ratio | undefined {
  const peers = rows.filter((row) => row.case === one.case && row.kind === 'peer' && row.codec === one.codec);
  const like = peers.filter((peer) => isLike(one, peer));
  // A peer is like itself, which says nothing unless it is the only one.
  const unlike = !like.some((peer) => peer !== one) && peers.some((peer) => peer !== one);
  const [best] = [...(unlike ? peers : like)].sort((a, b) => a.wallSeconds - b.wallSeconds);
  if (best === undefined) return undefined;
  return { value: best.wallSeconds / one.wallSeconds, peer: best.subject, unlike };
}
