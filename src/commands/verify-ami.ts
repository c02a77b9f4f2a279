import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Drift, findDrift } from '../ami/drift.ts';
import { readAmiManifest } from '../ami/manifest.ts';
import { systemClock } from '../core/clock.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { columns } from '../core/table.ts';
import { defineCommand } from '../host/command.ts';
import { path } from '../host/fields.ts';
import { openAmiCloud } from './ami-cloud.ts';
import { amiRole } from './ami-pointers.ts';

/** What `verify-ami` has found. */
interface Verified {
  /** How many AMIs there should be, and in how many regions. */
  readonly amis: number;
  readonly regions: number;
  readonly drift: readonly Drift[];
}

export const verifyAmi = defineCommand({
  name: 'verify-ami',
  summary: 'Compare AMIs with the manifest of their deployment, in every region, and fail where they differ.',
  description:
    'Finds AMIs that are gone, disabled, or deprecated at another time, other snapshots, tags and protection, permissions that are missing or too many, and parameters that point elsewhere. It changes nothing.',
  inputs: {
    manifest: path({
      description: 'Manifest that deploy-ami has written.',
      placeholder: 'FILE',
      positional: true,
      required: true,
    }),
    ...amiRole,
  },
  outputs: {
    drift: 'Number of differences.',
    json: 'The differences as JSON.',
  },
  async run({ manifest: file, ...inputs }, host): Promise<Verified> {
    const at = resolve(host.cwd, file);
    const manifest = readAmiManifest(await withFileErrors(at, 'read', () => readFile(at, 'utf8')), at);
    const { cloud } = await openAmiCloud(manifest.home, inputs, host, systemClock);
    const drift = await findDrift(cloud, manifest, systemClock.now());
    const regions = new Set(manifest.amis.map(({ region }) => region)).size;
    return { amis: manifest.amis.length, regions, drift };
  },
  present: (verified) => {
    const { drift, amis, regions } = verified;
    const data = { schemaVersion: 1, ...verified };
    const headline =
      drift.length === 0
        ? `${countText(amis, 'AMI')} in ${countText(regions, 'region')}: everything is as the manifest says`
        : `${countText(drift.length, 'difference')} in ${countText(amis, 'AMI')} of ${countText(regions, 'region')}`;
    return {
      outputs: { drift: String(drift.length), json: JSON.stringify(data) },
      data,
      text: [headline, ...(drift.length > 0 ? columns([HEADINGS, ...drift.map(rowOf)]) : [])].map(plainLine).join('\n'),
      summary: [
        `### ${plainMarkdown(headline)}`,
        '',
        ...(drift.length > 0
          ? [
              markdownTable(
                HEADINGS,
                drift.map((one) => rowOf(one).map(plainMarkdown)),
              ),
            ]
          : []),
      ].join('\n'),
      ...(drift.length > 0 ? { failure: differs(drift) } : {}),
    };
  },
});

const HEADINGS = ['region', 'image', 'system', 'AMI', 'what', 'difference'];

const rowOf = ({ region, image, system, id, kind, what }: Drift): string[] => [region, image, system, id, kind, what];

const differs = (drift: readonly Drift[]): UserError =>
  new UserError('aws', `${countText(drift.length, 'difference')} between the manifest and what is there`, {
    hint: 'Deploy again to set what is missing; what somebody has changed on purpose needs another manifest.',
    docs: 'ami-lifecycle.md#drift',
  });
