import { readFile } from 'node:fs/promises';
import { readEvent } from '../github/event.ts';
import type { Host } from '../host/host.ts';
import { type DestinationLine, requiredLines, type ToLine } from '../publish/destination-line.ts';
import { tagsOf } from '../publish/run-tags.ts';
import type { TagLine } from '../publish/tag-lines.ts';
import type { TagFacts } from '../publish/tag-rules.ts';

/** The tags to move, where lines of the input `tags` or of a destination say which. */
interface AskedTags {
  /** Whether any image may have one; false where no rule applies to the run. */
  readonly any: boolean;
  /** The tags of an image; none where no rule applies to it. */
  of(image: string): readonly string[];
}

/**
 * The tags that the lines of an input mean in this run, whichever step it is that asks; undefined where none were asked
 * for. The event is read only where a rule needs it. Throws UserError as `tagsOf` and `readEvent` do.
 */
async function tagsOfRun(lines: readonly TagLine[], host: Host): Promise<AskedTags | undefined> {
  if (lines.length === 0) return undefined;
  const facts = await factsOf(lines, host);
  const warned = new Set<string>();
  const of = (image: string | undefined): readonly string[] => {
    const { tags, skipped } = tagsOf(lines, { ...facts, image });
    for (const { rule, tag } of skipped) {
      if (warned.has(rule)) continue;
      warned.add(rule);
      host.log.warn(`${JSON.stringify(tag)} is not a valid tag: ${rule} is skipped`);
    }
    return tags;
  };
  const isByImage = lines.some((line) => line.kind === 'rule' && /\{\{\s*name\s*\}\}/.test(line.text));
  return { any: isByImage || of(undefined).length > 0, of };
}

async function factsOf(lines: readonly TagLine[], host: Host): Promise<Omit<TagFacts, 'image'>> {
  const mayAsk = lines.some(({ kind }) => kind !== 'tag');
  // A `run:` step has the event as well as an action.
  const isRun = mayAsk && host.env('GITHUB_ACTIONS') === 'true';
  const event = isRun ? await readEvent({ env: host.env, readFile: (path) => readFile(path, 'utf8') }) : undefined;
  return { event, now: new Date() };
}

/** The tags to move in a run, destination by destination. */
export interface RunTags {
  /** Whether any image may be published; false where no rule applies to the run. */
  readonly any: boolean;
  /** Whether every destination has tags that were asked for, so that those of the images themselves do not count. */
  readonly areAsked: boolean;
  /** Whether an image is published at any destination. */
  applies(image: string): boolean;
  /**
   * Those of an image at a destination (undefined: the one by default); none where no rule applies, so that nothing goes
   * there, and undefined where the image's own counts.
   */
  at(line: ToLine | undefined, image: string): readonly string[] | undefined;
}

/**
 * The tags that a run moves at the destinations `to`: a destination's own, or those of the input `tags`. `others` may be asked
 * for, too. Throws UserError as `tagsOf` and `readEvent` do.
 */
export async function runTags(
  to: readonly ToLine[],
  lines: readonly TagLine[],
  host: Host,
  others: readonly ToLine[] = [],
): Promise<RunTags> {
  const shared = await tagsOfRun(lines, host);
  const own = new Map<string, AskedTags | undefined>();
  for (const line of [...to, ...others]) own.set(line.line, await tagsOfRun(line.tags, host));
  const asked = (line: ToLine | undefined): AskedTags | undefined => (line && own.get(line.line)) ?? shared;
  const places = to.length > 0 ? to.map(asked) : [shared];
  return {
    any: places.some((tags) => tags?.any ?? true),
    areAsked: places.every((tags) => tags !== undefined),
    applies: (image) => places.some((tags) => tags?.of(image).length !== 0),
    at: (line, image) => asked(line)?.of(image),
  };
}

/**
 * The destinations that say whether an image is published already: those that must not fail and get it in this run; where
 * none gets it, all that must not fail.
 */
export function decisiveLines(
  lines: readonly DestinationLine[],
  image: string,
  tags: Pick<RunTags, 'at'>,
): readonly DestinationLine[] {
  const required = requiredLines(lines);
  const used = required.filter((line) => tags.at(line, image)?.length !== 0);
  return used.length > 0 ? used : required;
}
