import type { Digest } from '../oci/digest.ts';
import type { WhyMade } from './layer-reason.ts';

/** How a layer got to where it is. */
export type LayerWay =
  /** An image before, or an interrupted publish, has it. */
  | 'reused'
  /** It is the base's, or of another tool, and was mounted or copied. */
  | 'copied'
  /** Another image of this process has it. */
  | 'shared'
  /** It was made. */
  | 'made';

/** What became of one layer of an image. */
export interface LayerOutcome {
  /** What is in it, in a few words. */
  readonly label: string;
  readonly digest: Digest;
  /** Bytes of its blob. */
  readonly size: number;
  /** Bytes of its tar; undefined where nobody says. */
  readonly unpackedSize: number | undefined;
  readonly way: LayerWay;
  /** Why it was made; undefined where it was not. */
  readonly why: WhyMade | undefined;
  /** Bytes that were sent of it, over all destinations. */
  readonly bytesSent: number;
  /** Milliseconds from its first byte until every destination had it; 0 where it was not made. */
  readonly milliseconds: number;
}
