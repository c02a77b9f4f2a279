import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';

/** A workflow run, as images name the one that made them. */
export interface RunIdentity {
  /** GITHUB_RUN_ID: it grows with time, and a re-run keeps it. */
  readonly id: string;
  /** Address of the repository; runs of different ones are not compared. */
  readonly source: string;
}

const annotatedSchema = z.looseObject({ annotations: z.record(z.string(), z.string()).optional() });

const RUN_ID = /^\d{1,20}$/;

const annotationsIn = ({ bytes }: StoredManifest): Readonly<Record<string, string>> =>
  tryDecodeJson(bytes, annotatedSchema)?.annotations ?? {};

/** The run that made an image or index, where it is a newer one of the same repository than `run`; undefined otherwise. */
export function newerRun(live: StoredManifest, run: RunIdentity): string | undefined {
  const { [ORIGIN_ANNOTATION.run]: id = '', [ORIGIN_ANNOTATION.source]: source } = annotationsIn(live);
  if (source !== run.source || !RUN_ID.test(id) || !RUN_ID.test(run.id)) return undefined;
  return BigInt(id) > BigInt(run.id) ? id : undefined;
}

/** Of the runs that made an index's images the newest; undefined where one of them does not say. */
export function newestRun(images: readonly Readonly<Record<string, string>>[]): string | undefined {
  const ids = images.map((annotations) => annotations[ORIGIN_ANNOTATION.run] ?? '');
  if (ids.length === 0 || !ids.every((id) => RUN_ID.test(id))) return undefined;
  return ids.reduce((newest, id) => (BigInt(id) > BigInt(newest) ? id : newest));
}
