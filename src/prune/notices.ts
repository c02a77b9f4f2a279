import type { Decision } from './decide.ts';
import type { Notice, PrunePlace } from './place.ts';

/** Decisions, as they are when the place has said what it knows of those that are to go. Throws as the place does. */
export async function withNotices(
  place: Pick<PrunePlace, 'notices'>,
  decisions: readonly Decision[],
): Promise<readonly Decision[]> {
  const going = decisions.filter(({ goes }) => goes).map(({ item }) => item);
  if (going.length === 0 || place.notices === undefined) return decisions;
  const notices = await place.notices(going);
  return decisions.map((decision) => {
    const notice = notices.get(decision.item.id);
    return notice === undefined ? decision : noticed(decision, notice);
  });
}

function noticed(decision: Decision, notice: Notice): Decision {
  if ('step' in notice) return { ...decision, step: notice.step, why: notice.why ?? decision.why };
  const why = notice.stays;
  return { ...decision, goes: false, why, names: decision.names.map(({ name }) => ({ name, goes: false, why })) };
}
