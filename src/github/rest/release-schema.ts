import { z } from 'zod';

const time = z.iso.datetime({ offset: true });

/** An asset of a release, as GitHub's REST interface has it (docs.github.com, "Release assets"). */
export const assetSchema = z.object({
  id: z.int().positive(),
  name: z.string(),
  size: z.int().nonnegative(),
  // `starter` is what an upload leaves that was cut off.
  state: z.string(),
  // Older assets and GitHub Enterprise Server have none.
  digest: z.string().nullish(),
  updated_at: time,
});

/** A release, or the draft of one (docs.github.com, "Releases"). */
export const releaseSchema = z.object({
  id: z.int().positive(),
  tag_name: z.string(),
  draft: z.boolean(),
  prerelease: z.boolean(),
  // GitHub Enterprise Server does not say it.
  immutable: z.boolean().optional(),
  published_at: time.nullish(),
  updated_at: time.nullish(),
  body: z.string().nullish(),
  html_url: z.url(),
  upload_url: z.string(),
  assets: z.array(assetSchema),
});
