import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';

/** What the hidden first line of a comment says about it. */
export interface Marker {
  /** Tells the comment from those of other workflows on the same pull request. */
  readonly key: string;
  /** GITHUB_RUN_ID of the run that wrote the text: it grows with time, and a re-run keeps it. */
  readonly run: string;
  readonly attempt: number;
  /** Whether the images are there, or were removed. */
  readonly state: 'there' | 'removed';
  /** Names of the images that were published for the pull request, at any time: what there is to remove when it is closed. */
  readonly images: readonly string[];
}

const markerSchema = z.object({
  key: z.string(),
  run: z.string().regex(/^\d{1,20}$/),
  attempt: z.int().positive(),
  state: z.enum(['there', 'removed']),
  images: z.array(z.string()),
});

const LINE = /^<!-- nix-images preview (\{.*\}) -->/;

/** The line, which GitHub does not show. What could end it early is written as JSON's escapes. */
export function markerLine({ key, run, attempt, state, images }: Marker): string {
  const json = JSON.stringify({ key, run, attempt, state, images });
  return `<!-- nix-images preview ${json.replaceAll('-', '\\u002d').replaceAll('>', '\\u003e')} -->`;
}

/** Reads the marker of a comment; undefined for comments of others and for lines that somebody has changed. */
export function readMarker(body: string): Marker | undefined {
  const [, json] = LINE.exec(body) ?? [];
  return json === undefined ? undefined : tryDecodeJson(Buffer.from(json), markerSchema);
}

/** Whether `marker` is of a newer run than `other`, or of a newer attempt of the same one. */
export function isNewer(marker: Marker, other: Marker): boolean {
  const [run, otherRun] = [BigInt(marker.run), BigInt(other.run)];
  return run > otherRun || (run === otherRun && marker.attempt > other.attempt);
}
