import { systemClock } from '../core/clock.ts';
import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { onFirstUse } from '../core/on-first-use.ts';
import type { Clock } from '../core/retry.ts';
import type { ArtifactClient } from './artifact-client.ts';
import { deleteArtifact } from './delete-artifact.ts';
import { downloadArtifact } from './download-artifact.ts';
import { type ArtifactInfo, listArtifacts } from './list-artifacts.ts';
import { type Env, runtimeToken } from './runtime.ts';
import type { ArtifactSession } from './session.ts';
import { type UploadedArtifact, type UploadOptions, uploadArtifact } from './upload-artifact.ts';

/** The artifacts of the workflow run that this job is part of. Each holds one file. */
export interface Artifacts {
  /** All that are complete, those of earlier attempts too. */
  list(): Promise<readonly ArtifactInfo[]>;
  /** Uploads one file under a name that the run does not have yet; the client may write lines of its own. */
  upload(name: string, file: string, options: UploadOptions): Promise<UploadedArtifact>;
  /** Deletes them one after the other; those that are gone already count as deleted. */
  delete(artifacts: readonly Pick<ArtifactInfo, 'name'>[]): Promise<void>;
  /** Downloads into `folder`, which is made when it is not there, and returns the path of the file. */
  download(artifact: ArtifactInfo, folder: string): Promise<string>;
}

interface ArtifactDeps extends Pick<Effects, 'log' | 'signal'> {
  /** Makes the client of @actions/artifact; called once, and only when it is needed. */
  readonly loadClient: () => Promise<ArtifactClient>;
  readonly env: Env;
  /** A new empty folder of its own. */
  readonly tempDir: () => Promise<string>;
  /** Default: the machine's own. */
  readonly clock?: Clock;
}

/**
 * Opens the run's artifacts; nothing is asked or loaded before the first call. Every call throws UserError `handover`
 * when there is no service or it refuses, and `cancelled` when the signal fires.
 *
 * The client writes to standard output by itself, through @actions/core: `Uploaded bytes N` and the like, debug lines,
 * masks for signed URLs. That is right in a step, whose output is a log; transfers stand under a heading of ours, so
 * that these lines fold away. It reads token and address from the process's environment, not from `env`.
 */
export function createArtifacts({ loadClient, env, clock = systemClock, ...rest }: ArtifactDeps): Artifacts {
  const session = onFirstUse(async (): Promise<ArtifactSession> => {
    rest.log.mask(runtimeToken(env));
    return { ...rest, clock, client: await loadClient() };
  });
  return {
    list: async () => listArtifacts(await session()),
    upload: async (name, file, options) => {
      const ready = await session();
      return rest.log.group(`Uploading the artifact ${name}`, () => uploadArtifact(ready, name, file, options));
    },
    delete: async (artifacts) => {
      const ready = await session();
      await rest.log.group(`Deleting ${countText(artifacts.length, 'artifact')}`, async () => {
        for (const artifact of artifacts) await deleteArtifact(ready, artifact);
      });
    },
    download: async (artifact, folder) => {
      const ready = await session();
      return rest.log.group(`Downloading the artifact ${artifact.name}`, () =>
        downloadArtifact(ready, artifact, folder),
      );
    },
  };
}
