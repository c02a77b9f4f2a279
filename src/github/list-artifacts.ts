import { z } from 'zod';
import { UserError } from '../core/error.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import { artifactFailure } from './artifact-failure.ts';
import { patient } from './patience.ts';
import type { ArtifactSession } from './session.ts';

const artifactSchema = z.object({
  id: z.int().positive(),
  name: z.string(),
  /** Bytes. */
  size: z.int().nonnegative(),
  /** Of the artifact as it was uploaded. Others' artifacts may have none, or one that nobody here can check. */
  digest: digestSchema.optional().catch(undefined),
  createdAt: z.date().optional(),
});

/** An artifact of this run. */
export type ArtifactInfo = Readonly<z.infer<typeof artifactSchema>>;

/** All artifacts of this run that are complete, those of earlier attempts too. Throws UserError `handover`. */
export async function listArtifacts(session: ArtifactSession): Promise<readonly ArtifactInfo[]> {
  const doing = "list the run's artifacts";
  const { artifacts } = await patient(doing, session, () => session.client.listArtifacts()).catch((error: unknown) => {
    throw artifactFailure(error, doing);
  });
  const result = z.array(artifactSchema).safeParse(artifacts);
  if (result.success) return result.data;
  throw new UserError('handover', `cannot ${doing}: the answer is not valid: ${z.prettifyError(result.error)}`, {
    hint: 'The service or its client has changed: use a newer version of nix-images.',
  });
}
