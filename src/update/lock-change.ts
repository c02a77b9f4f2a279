import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { compareVersions } from '../diff/package-name.ts';
import type { LockedInput } from './lock.ts';

/** What became of one input. */
export interface LockChange {
  readonly name: string;
  readonly old: LockedInput | null;
  readonly new: LockedInput | null;
  /** Whether the new one is older than what it takes the place of. */
  readonly isDowngrade: boolean;
}

/**
 * What is different between two states of a lock file, by name, as the files themselves say it: what was asked of Nix may have been
 * resolved once more on the way.
 */
export function lockChanges(before: readonly LockedInput[], after: readonly LockedInput[]): LockChange[] {
  const [old, now] = [byName(before), byName(after)];
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((name): LockChange[] => {
    const pair = { name, old: old.get(name) ?? null, new: now.get(name) ?? null };
    const isSame = pair.old?.revision === pair.new?.revision && pair.old?.source === pair.new?.source;
    return isSame ? [] : [{ ...pair, isDowngrade: isOlder(pair.old, pair.new) }];
  });
}

const byName = (inputs: readonly LockedInput[]) => new Map(inputs.map((input) => [input.name, input]));

function isOlder(old: LockedInput | null, now: LockedInput | null): boolean {
  if (old === null || now === null || old.source !== now.source) return false;
  if (old.modified !== null && now.modified !== null) return now.modified < old.modified;
  return old.version !== null && now.version !== null && compareVersions(now.version, old.version) < 0;
}

/** Characters of a commit or hash that people compare. */
const SHORT = 12;

function stateText(input: LockedInput | null): string {
  if (input === null) return 'nothing';
  const revision = input.version ?? input.revision.replace(/^sha256-/, '').slice(0, SHORT);
  const day = input.modified === null ? '' : ` (${new Date(input.modified).toISOString().slice(0, 10)})`;
  return `${revision}${day}`;
}

/** `nixpkgs: 0123456789ab (2026-01-01) → …`, one line an input. */
export const changeLines = (changes: readonly LockChange[]): string[] =>
  changes.map((change) => {
    const note = change.isDowngrade ? ', older than before' : '';
    return `${change.name}: ${stateText(change.old)} → ${stateText(change.new)}${note}`;
  });

const COMMIT = /^[0-9a-f]{40}$/;

/** The commits between two states, where GitHub can show them. */
function commitsLink({ old, new: now }: LockChange): string {
  const [, place] = /^github:([\w.-]+\/[\w.-]+)$/.exec(now?.source ?? '') ?? [];
  if (place === undefined || old?.source !== now?.source) return '';
  if (!COMMIT.test(old?.revision ?? '') || !COMMIT.test(now?.revision ?? '')) return '';
  return `[commits](https://github.com/${place}/compare/${old?.revision}...${now?.revision})`;
}

/** The same as a table, with links to the commits. */
export const changeTable = (changes: readonly LockChange[]): string =>
  markdownTable(
    ['input', 'from', 'before', 'now', ''],
    changes.map((change) => [
      codeMarkdown(change.name),
      plainMarkdown((change.new ?? change.old)?.source ?? ''),
      plainMarkdown(stateText(change.old)),
      plainMarkdown(stateText(change.new)),
      [change.isDowngrade ? '**older than before**' : '', commitsLink(change)].filter((text) => text !== '').join(' '),
    ]),
  );
