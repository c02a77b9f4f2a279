import { z } from 'zod';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { RunIdentity } from '../oci/newer-run.ts';
import { descriptorOf, type StoredManifest } from '../oci/read-manifest.ts';
import { isTag } from '../oci/reference.ts';
import { referrerOf } from '../oci/referrer.ts';

/** What a promotion is recorded as: a manifest whose subject is the promoted image, and whose annotations say the rest. */
export const PROMOTION_TYPE = 'application/vnd.nix-images.promotion.v1+json';

/** What a channel meant at a time: an image, and the record of its promotion where there is one. */
export interface ChannelState {
  readonly digest: Digest;
  readonly record?: Digest | undefined;
}

/** One promotion to one channel, as it is recorded. */
export interface Promotion {
  /** The repository as a person writes it, `docker://ghcr.io/org/app`: a record that was copied elsewhere does not count there. */
  readonly repository: string;
  /** The tag that moved. */
  readonly channel: string;
  /** The promoted image. */
  readonly digest: Digest;
  readonly kind: 'promote' | 'rollback';
  /** Larger than that of every record of the channel which its maker saw: of several records of one image the largest counts. */
  readonly number: number;
  /** What the channel meant before; undefined where it is new. */
  readonly previous: ChannelState | undefined;
  /** What a rollback from here leads to. It differs from `previous` after a rollback, so that a second one leads further back. */
  readonly below: ChannelState | undefined;
  /** Where the image was named: `ghcr.io/org/app:edge`. */
  readonly from: string;
  /** RFC 3339. */
  readonly time: string;
  /** The workflow run that did it; undefined on a person's machine. */
  readonly run: RunIdentity | undefined;
  /** Who started the run. */
  readonly by: string | undefined;
}

/** A promotion as a place holds it. */
export interface RecordedPromotion extends Promotion {
  /** Digest of the record itself. */
  readonly record: Digest;
}

/** The order of one image's records, the newest last, and the same for all who read them. */
export const compareRecords = (a: RecordedPromotion, b: RecordedPromotion): number =>
  a.number - b.number || compareText(a.time, b.time) || compareText(a.record, b.record);

const compareText = (a: string, b: string): number => Number(a > b) - Number(a < b);

const PREFIX = 'io.nix-images.promotion.';
const CREATED = 'org.opencontainers.image.created';
/** OCI image-spec, "Guidance for an Empty Descriptor". */
const EMPTY = Buffer.from('{}');
const EMPTY_BLOB: Descriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(EMPTY),
  size: EMPTY.length,
};

/** The blob that each record names as its config and content, because registries want some. */
export const RECORD_BLOB = { descriptor: EMPTY_BLOB, bytes: EMPTY } as const;

/** The manifest that records a promotion of `subject`: equal promotions, equal bytes. */
export function recordOf(subject: StoredManifest, promotion: Omit<Promotion, 'digest'>): StoredManifest {
  const { repository, channel, kind, number, previous, below, from, time, run, by } = promotion;
  const fields = {
    repository,
    channel,
    kind,
    number: String(number),
    previous: previous?.digest,
    'previous-record': previous?.record,
    below: below?.digest,
    'below-record': below?.record,
    from,
    run: run?.id,
    'run-source': run?.source,
    by,
  };
  const known = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[PREFIX + name, value]],
  );
  const bytes = Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      artifactType: PROMOTION_TYPE,
      config: EMPTY_BLOB as Json,
      layers: [EMPTY_BLOB as Json],
      subject: descriptorOf(subject) as Json,
      annotations: { ...Object.fromEntries(known), [CREATED]: time },
    }),
  );
  return { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
}

/** Of texts that reports show, in characters. */
const TEXT_LIMIT = 500;
const text = z.string().min(1).max(TEXT_LIMIT);

const annotationsSchema = z.object({
  [`${PREFIX}repository`]: text,
  [`${PREFIX}channel`]: z.string().refine(isTag),
  [`${PREFIX}kind`]: z.enum(['promote', 'rollback']),
  [`${PREFIX}number`]: z.string().regex(/^[1-9]\d{0,8}$/),
  [`${PREFIX}previous`]: digestSchema.optional(),
  [`${PREFIX}previous-record`]: digestSchema.optional(),
  [`${PREFIX}below`]: digestSchema.optional(),
  [`${PREFIX}below-record`]: digestSchema.optional(),
  [`${PREFIX}from`]: text,
  [`${PREFIX}run`]: text.optional(),
  [`${PREFIX}run-source`]: text.optional(),
  [`${PREFIX}by`]: text.optional(),
  [CREATED]: z.iso.datetime({ offset: true }),
});

const recordSchema = z.looseObject({ artifactType: z.literal(PROMOTION_TYPE), annotations: annotationsSchema });

/** What a manifest records; undefined of anything else, and of records that are not valid: whoever may push may write some. */
export function promotionIn(manifest: StoredManifest): RecordedPromotion | undefined {
  const subject = referrerOf(manifest)?.subject;
  const annotations = tryDecodeJson(manifest.bytes, recordSchema)?.annotations as
    | Readonly<Record<string, string | undefined>>
    | undefined;
  if (subject === undefined || annotations === undefined) return undefined;
  const of = (name: string): string | undefined => annotations[PREFIX + name];
  const stateOf = (name: string): ChannelState | undefined => {
    const digest = of(name) as Digest | undefined;
    return digest && { digest, record: of(`${name}-record`) as Digest | undefined };
  };
  const [run, source] = [of('run'), of('run-source')];
  return {
    record: manifest.digest,
    digest: subject,
    repository: of('repository') ?? '',
    channel: of('channel') ?? '',
    kind: of('kind') === 'rollback' ? 'rollback' : 'promote',
    number: Number(of('number')),
    previous: stateOf('previous'),
    below: stateOf('below'),
    from: of('from') ?? '',
    time: annotations[CREATED] ?? '',
    run: run !== undefined && source !== undefined ? { id: run, source } : undefined,
    by: of('by'),
  };
}
