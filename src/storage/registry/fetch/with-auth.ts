import type { Authorizer } from '../auth/authorizer.ts';
import { isStreamed, type Reply, type Send } from '../send.ts';
import type { RegistryOrigin } from './origin.ts';
import { peek } from './peek.ts';
import { drain } from './response-body.ts';

/** Tries of one request with ever fresher credentials. */
const ROUNDS = 3;

/** What may say that a credential has ended, beside 401: ECR answers 403 in plain text, ECR Public 400 without a challenge. */
const ENDED = [400, 403];
const SAYS_ENDED = /token.{0,40}expired/i;

/** Whether the registry says that a credential has ended, and the reply as it was before that was read. */
async function saysEnded(answer: Reply, method: string): Promise<{ isEnded: boolean; isTold: boolean; read: Reply }> {
  const { status } = answer.response;
  if (!ENDED.includes(status)) return { isEnded: status === 401, isTold: false, read: answer };
  const { start, reply } = await peek(answer, method);
  const isTold = SAYS_ENDED.test(start);
  return { isEnded: start === '' || isTold, isTold, read: reply };
}

/**
 * Authorizes what goes to the registry itself, and tries again with fresh credentials when it is refused; where the body
 * cannot be sent again, `isRenewed` says that it is worth it. Storage behind a registry is another party: the registry's
 * credentials are not for it.
 */
export function withAuth(send: Send, authorizer: Authorizer, origin: RegistryOrigin): Send {
  const welcome = askOnce(() => send({ method: 'GET', url: new URL('/v2/', origin.current) }));

  /** Whether a refusal taught us how to authenticate, so that the request is worth another try. */
  const mayDoBetter = async (
    { response }: Reply,
    scopes: readonly string[],
    sent: string | undefined,
  ): Promise<boolean> => {
    if (response.status === 401 && (await authorizer.challenged(response, scopes, sent))) return true;
    // Some registries say only at /v2/ that they want to know who asks, and deny or hide everything else until then.
    if (sent !== undefined || ![401, 403, 404].includes(response.status)) return false;
    if (response.status === 404 && !(await authorizer.hasCredential())) return false;
    const { response: door } = await welcome();
    return door.status === 401 && (await authorizer.challenged(door, scopes, sent));
  };

  return async (request) => {
    if (request.url.origin !== origin.current) return { ...(await send(request)), tried: authorizer.tried };
    const { scopes = [], headers } = request;
    for (let round = 1; ; round += 1) {
      const authorization = await authorizer.header(scopes);
      const own = authorization === undefined ? {} : { authorization };
      const answer = await send({ ...request, headers: { ...headers, ...own } });
      if (answer.response.ok && authorization !== undefined) authorizer.accepted();
      const { isEnded, isTold, read: reply } = await saysEnded(answer, request.method);
      const isRenewed =
        round < ROUNDS &&
        ((await mayDoBetter(reply, scopes, authorization)) ||
          (isEnded && (await authorizer.ended(scopes, authorization, isTold))));
      if (!isRenewed || isStreamed(request.body)) return { ...reply, isRenewed, tried: authorizer.tried };
      await drain(reply.response);
    }
  };
}

/** What the registry says to those who only come to the door; asked again only when it did not answer. */
const askOnce = (ask: () => Promise<Reply>): (() => Promise<Reply>) => {
  let asked: Promise<Reply> | undefined;
  return () => {
    asked ??= ask()
      .then(async (reply) => {
        await drain(reply.response);
        return reply;
      })
      .catch((error: unknown) => {
        asked = undefined;
        throw error;
      });
    return asked;
  };
};
