import { z } from 'zod';
import { budgetMarkdown, budgetText, type PlannedCache } from '../cache/budget-report.ts';
import { finishCache, prepareFinish } from '../cache/finish.ts';
import { jobPrefix } from '../cache/keys.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { flag, lines } from '../host/fields.ts';
import { cacheInputs, openHouse } from './cache-house.ts';

/** What of a plan's matrix tells the jobs apart that save. */
const matrixSchema = z.object({ include: z.array(z.object({ name: z.string(), system: z.string() })).max(256) });

function parseMatrix(text: string): z.infer<typeof matrixSchema>['include'] {
  const matrix = tryDecodeJson(text, matrixSchema);
  if (matrix) return matrix.include;
  throw new UserError('input', 'not a valid matrix: expected the output jobs of the action plan');
}

interface Merged extends PlannedCache {
  readonly isStored: boolean;
  readonly deleted: number;
}

const dataOf = ({ store, index, plan, isStored, deleted }: Merged) => ({
  schemaVersion: 1,
  cache: store,
  limit: plan.limit,
  before: plan.before,
  after: plan.after,
  others: { bytes: plan.others, entries: plan.otherEntries },
  kept: plan.kept.size,
  dropped: plan.dropped,
  compacted: plan.compacted.map((at) => index.packs[at]?.key),
  removed: plan.removed.map(({ entry, why }) => ({ key: entry.key, ref: entry.ref, bytes: entry.bytes, why })),
  merged: isStored,
  deleted,
});

export const cacheMerge = defineCommand({
  name: 'cache-merge',
  summary: 'Merge what the jobs of a run saved to a cache, and keep it within its limit.',
  description:
    'The last job of a run does this, as the only one that writes the index. What saves the least build time for its size is deleted first; what other ' +
    "tools stored is counted and never touched. In GitHub's cache, deleting takes the permission `actions: write`.\n\n" +
    'With `--dry-run` it shows what it would keep, drop and delete, and why.',
  inputs: {
    ...cacheInputs,
    matrix: lines({
      description:
        'An output `jobs` (or `matrix`) or `shared` of `plan`: whose parts to look for where the cache cannot list its entries. Default: this job alone.',
      placeholder: 'JSON',
      parse: parseMatrix,
    }),
    dryRun: flag({ description: 'Show the plan, and change nothing.' }),
  },
  outputs: { bytes: 'Bytes in the cache afterwards, as far as the plan tells them.' },
  async run(inputs, host): Promise<Merged> {
    const { world, rules, attempt } = await openHouse(host, inputs);
    const jobs = inputs.matrix.length > 0 ? inputs.matrix.flat() : [{ name: attempt.job, system: attempt.system }];
    const prefixes = jobs.map(({ name, system }) => jobPrefix({ run: attempt.run, system, job: name }));
    const input = { attempt, rules, prefixes };
    const store = world.store.name;
    if (inputs.dryRun) {
      const { merged, plan } = await prepareFinish(world, input);
      return { store, index: merged, plan, isStored: false, deleted: 0 };
    }
    const { index, plan, isStored, removed } = await finishCache(world, input);
    return { store, index, plan, isStored, deleted: removed.entries };
  },
  present: (merged) => ({
    outputs: { bytes: String(merged.plan.after) },
    data: dataOf(merged),
    text: budgetText(merged),
    summary: budgetMarkdown(merged),
  }),
});
