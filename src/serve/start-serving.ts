import type { Effects } from '../core/effects.ts';
import { EVERYBODY, whoHas } from './access.ts';
import type { RegistryAnswer } from './answer.ts';
import { openShelf } from './definition-shelf.ts';
import type { Definitions } from './definitions.ts';
import { freshHashes } from './fresh-hashes.ts';
import { type ListenOn, listenFor } from './http-server.ts';
import { makePlatform, type PlatformTools } from './make-platform.ts';
import { type Request, respond } from './respond.ts';
import { sentBlobs } from './sent-blobs.ts';
import type { ServedImage } from './served-image.ts';

interface ServingSettings extends ListenOn {
  /** What readers must know; undefined where everybody may read. */
  readonly token: string | undefined;
}

/** A registry that is up. */
export interface Serving {
  /** As it stands in references: `127.0.0.1:5000`. */
  readonly host: string;
  /** An image as it is defined now, made where it is not yet; undefined where there is none of that name. Throws UserError. */
  find(name: string): Promise<ServedImage | undefined>;
  /** Bytes that were sent of each blob so far, by its digest. */
  readonly sent: ReadonlyMap<string, number>;
  /** Ends all connections, and lets go of the store paths. */
  close(): Promise<void>;
}

/**
 * Serves images as they are defined, read-only: each is evaluated, built and its layers named when it is first asked for, and again when its
 * definition has changed. Throws UserError `input` where the address cannot be listened on.
 */
export async function startServing(
  settings: ServingSettings,
  definitions: Definitions,
  tools: Omit<PlatformTools, 'fresh'> & Pick<Effects, 'clock'>,
): Promise<Serving> {
  const fresh = freshHashes(tools.clock);
  const shelf = openShelf({ ...tools, definitions, make: (evaluated) => makePlatform(evaluated, { ...tools, fresh }) });
  const mayRead = settings.token === undefined ? EVERYBODY : whoHas(settings.token);
  const blobs = sentBlobs(tools);
  const answer = async (request: Request): Promise<RegistryAnswer> =>
    blobs.inTurn(await respond(request, { shelf, mayRead }));
  const server = await listenFor(settings, answer, tools.log);
  return {
    host: server.host,
    find: shelf.find,
    sent: blobs.bytes,
    close: async () => {
      await server.close();
      await shelf.close();
    },
  };
}
