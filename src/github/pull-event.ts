import { type EventSource, missingField, readPayload, required } from './event.ts';

/** What a run is started by, as far as previews of pull requests go. */
export type PullEvent =
  | {
      readonly kind: 'pull';
      readonly number: number;
      readonly isClosed: boolean;
      /** The newest commit on its own branch; undefined where the payload does not say it. */
      readonly headCommit: string | undefined;
      /** Its own branch; undefined where the payload does not say it. */
      readonly branch: string | undefined;
      /** The branch that it is meant for. */
      readonly base: string;
    }
  /** A schedule, or a person who starts it: no pull request is meant. */
  | { readonly kind: 'sweep' }
  | { readonly kind: 'other'; readonly name: string };

/** Reads it from the runner's environment. Throws UserError `input` for a payload without what its event always has. */
export async function readPullEvent(source: EventSource): Promise<PullEvent> {
  const name = required(source.env, 'GITHUB_EVENT_NAME');
  if (name === 'schedule' || name === 'workflow_dispatch') return { kind: 'sweep' };
  if (name !== 'pull_request') return { kind: 'other', name };
  const { action, pull_request } = await readPayload(source);
  const number = pull_request?.number;
  if (number === undefined) throw missingField(name, 'pull_request.number');
  if (action === undefined) throw missingField(name, 'action');
  const base = required(source.env, 'GITHUB_BASE_REF');
  const { sha: headCommit, ref: branch } = pull_request?.head ?? {};
  return { kind: 'pull', number, isClosed: action === 'closed', headCommit, branch, base };
}
