import { artifactFailure, isGone } from './artifact-failure.ts';
import type { ArtifactInfo } from './list-artifacts.ts';
import { patient } from './patience.ts';
import type { ArtifactSession } from './session.ts';

/**
 * Deletes an artifact of this run, whichever job uploaded it: the runtime token of any job of the run may, and no entry under
 * `permissions` is needed. One that is gone already is no failure. Throws UserError `handover` or `cancelled`.
 */
export async function deleteArtifact(session: ArtifactSession, { name }: Pick<ArtifactInfo, 'name'>): Promise<void> {
  const doing = `delete the artifact ${name}`;
  await patient(doing, session, () => session.client.deleteArtifact(name)).catch((error: unknown) => {
    if (!isGone(error)) throw artifactFailure(error, doing);
  });
}
