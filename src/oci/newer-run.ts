import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { ORIGIN_ANNOTATION } from './origin.ts';
import type { StoredManifest } from './read-manifest.ts';

/** A workflow run, as images name the one that made them. */
export interface RunIdentity {
  /** GITHUB_RUN_ID: it grows with time, and a re-run keeps it. */
  readonly id: string;
  /** Address of the repository; runs of different ones are not compared. */
  readonly source: string;
}

/** A run that does something now. */
export interface StartedRun extends RunIdentity {
  /** When it began, in milliseconds since 1970, its first attempt that is; undefined where nothing says so. */
  readonly began?: number | undefined;
}

const annotatedSchema = z.looseObject({ annotations: z.record(z.string(), z.string()).optional() });

const RUN_ID = /^\d{1,20}$/;

const annotationsIn = ({ bytes }: StoredManifest): Readonly<Record<string, string>> =>
  tryDecodeJson(bytes, annotatedSchema)?.annotations ?? {};

/** The run that an image or index names as its maker; undefined where it names none. */
export function imageRun(image: StoredManifest): RunIdentity | undefined {
  const { [ORIGIN_ANNOTATION.run]: id = '', [ORIGIN_ANNOTATION.source]: source } = annotationsIn(image);
  return source !== undefined && RUN_ID.test(id) ? { id, source } : undefined;
}

/** Above 0 where `a` is the newer run, below where it is the older one, 0 where they are the same or cannot be compared. */
export function compareRuns(a: RunIdentity, b: RunIdentity): number {
  if (a.source !== b.source || !RUN_ID.test(a.id) || !RUN_ID.test(b.id)) return 0;
  return Number(BigInt(a.id) - BigInt(b.id));
}

/** The run that made an image or index, where it is a newer one of the same repository than `run`; undefined otherwise. */
export function newerRun(live: StoredManifest, run: RunIdentity): string | undefined {
  const maker = imageRun(live);
  return maker && compareRuns(maker, run) > 0 ? maker.id : undefined;
}

/** Of the runs that made an index's images the newest; undefined where one of them does not say. */
export function newestRun(images: readonly Readonly<Record<string, string>>[]): string | undefined {
  const ids = images.map((annotations) => annotations[ORIGIN_ANNOTATION.run] ?? '');
  if (ids.length === 0 || !ids.every((id) => RUN_ID.test(id))) return undefined;
  return ids.reduce((newest, id) => (BigInt(id) > BigInt(newest) ? id : newest));
}
