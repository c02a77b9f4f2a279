import { parameterName } from '../ami/content.ts';
import { type PointedAt, pointerHistory } from '../ami/pointer-history.ts';
import { REGIONS_AT_ONCE } from '../ami/survey.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { mapParallel } from '../core/parallel.ts';
import { plainLine } from '../core/printable.ts';
import { columns } from '../core/table.ts';
import { defineCommand } from '../host/command.ts';
import { choices } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { openAmiCloud } from './ami-cloud.ts';
import { amiImage, amiRole, chosenRegions, homeRegion, pointerInputs } from './ami-pointers.ts';

/** What one parameter has pointed to, the newest first. */
interface AmiHistory {
  readonly region: string;
  readonly name: string;
  readonly entries: readonly PointedAt[];
}

export const historyAmi = defineCommand({
  name: 'history-ami',
  summary: 'Show what parameters for AMIs have pointed to: versions, AMIs, and when.',
  description: 'Reads the hundred values that Systems Manager keeps of a parameter. Times are UTC.',
  inputs: {
    ...amiImage,
    ...pointerInputs,
    system: choices(SYSTEMS, { description: 'System whose parameters are shown. Default: all.' }),
    ...amiRole,
  },
  outputs: {
    version: 'Version that the first parameter points to now.',
    json: 'The histories as JSON.',
  },
  async run({ image, parameters, system: given, ...inputs }, host): Promise<AmiHistory[]> {
    const home = homeRegion(host, inputs.regions);
    const { cloud } = await openAmiCloud(home, inputs, host, systemClock);
    const systems = given.length > 0 ? given : SYSTEMS;
    const names = systems.flatMap((system) =>
      parameters.map((template) => parameterName(template, { image, system, version: '' }, '')),
    );
    const regions = await chosenRegions(cloud, home, inputs.regions);
    const asked = regions.flatMap((region) => [...new Set(names)].map((name) => ({ region, name })));
    const all = await mapParallel(
      asked,
      REGIONS_AT_ONCE,
      async (one): Promise<AmiHistory> => ({ ...one, entries: await pointerHistory(cloud, one.region, one.name) }),
    );
    const found = all.filter(({ entries }) => entries.length > 0);
    if (found.length > 0) return found;
    throw new UserError('input', `none of the parameters exists: ${[...new Set(names)].join(', ')}`, {
      hint: 'Check their names and the regions.',
    });
  },
  present: (found) => {
    const data = { schemaVersion: 1, parameters: found.map((one) => ({ ...one, entries: one.entries.map(dataOf) })) };
    return {
      outputs: { version: found[0]?.entries[0]?.version ?? '', json: JSON.stringify(data) },
      data,
      text: found
        .flatMap((one) => [
          `${one.name} in ${one.region}`,
          ...columns([HEADINGS, ...one.entries.map(rowOf)]).map((line, at) => `${at === 1 ? '* ' : '  '}${line}`),
        ])
        .map(plainLine)
        .join('\n'),
      summary: found
        .map(({ name, region, entries }) =>
          [
            `### ${codeMarkdown(name)} in ${region}`,
            '',
            markdownTable(
              HEADINGS,
              entries.map((entry) => rowOf(entry).map(plainMarkdown)),
            ),
          ].join('\n'),
        )
        .join('\n'),
    };
  },
});

const HEADINGS = ['version', 'AMI', 'when'];

/** `2026-01-31 12:00` of `2026-01-31T12:00:00Z`. */
const MINUTES = 16;

const rowOf = ({ version, amiId, isAvailable, time }: PointedAt): string[] => [
  version ?? '–',
  isAvailable ? amiId : `${amiId} (not available)`,
  time === undefined ? '–' : new Date(time).toISOString().slice(0, MINUTES).replace('T', ' '),
];

const dataOf = ({ version, amiId, isAvailable, time }: PointedAt) => ({
  ...{ version: version ?? null, amiId, isAvailable },
  time: time === undefined ? null : new Date(time).toISOString(),
});
