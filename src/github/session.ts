import type { ArtifactClient } from './artifact-client.ts';
import type { Patience } from './patience.ts';

/** What the calls on artifacts share, once the client is there. */
export interface ArtifactSession extends Patience {
  readonly client: ArtifactClient;
  /** A new empty folder of its own. */
  readonly tempDir: () => Promise<string>;
}
