import { defineCommand } from '../host/command.ts';
import { integer } from '../host/fields.ts';
import { historyOf } from '../promote/history.ts';
import { historyData, historySummary, historyText } from '../promote/report.ts';
import { placesOf } from './places.ts';
import { channelReference, loginPlace, tagOf } from './promoting.ts';
import { registryInputs } from './shared-inputs.ts';

/** Entries of a history that are read at most: each costs two requests. */
const MOST = 1000;

export const history = defineCommand({
  name: 'history',
  summary: 'Show what a channel has meant: digests, when, by which run, of which commit, from where.',
  description:
    'Reads the records that `promote` and `rollback` make, from what the channel means now backwards. Times are UTC.',
  inputs: {
    reference: channelReference,
    limit: integer({ description: 'How many entries are shown.', placeholder: 'N', default: 20, min: 1, max: MOST }),
    ...registryInputs,
  },
  outputs: {
    digest: 'Digest that the channel means now.',
    previous: 'Digest before it; empty where none is recorded.',
    json: 'The history as JSON.',
  },
  async run({ reference, limit, ...inputs }, host) {
    const tag = tagOf(reference);
    const places = await placesOf(host, { ...inputs, to: loginPlace(reference) });
    const { source } = await places.openForReading(reference);
    return historyOf({ source, tag }, limit, host.log);
  },
  present: (found) => ({
    outputs: {
      digest: found.entries[0]?.digest ?? '',
      previous: found.entries[1]?.digest ?? '',
      json: JSON.stringify(historyData(found)),
    },
    data: historyData(found),
    text: historyText(found),
    summary: historySummary(found),
  }),
});
