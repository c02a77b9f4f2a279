import type { DeployedAmi } from '../ami/deploy.ts';
import type { Left } from '../ami/left.ts';
import { amiPlanJson, amiPlanMarkdown, amiPlanText } from '../ami/show-plan.ts';
import type { Undone } from '../ami/undone.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { columns } from '../core/table.ts';
import type { CommandResult } from '../host/command.ts';
import type { AmiResult, SentDisk } from './deploying-ami.ts';

export const AMI_OUTPUTS = {
  amis: 'Of one image, the AMIs\' ids as JSON by region and system: `{"eu-central-1":{"x86_64-linux":"ami-…"}}`.',
  json: 'The manifest as JSON: every AMI with image, system, version, region, id, name, snapshot and content.',
  changed: 'Whether anything was made or changed, `true` or `false`.',
  failedRegions: 'Regions that may fail and did, one per line.',
  manifest: 'Path of the manifest, where one was written.',
  journal: 'Path of the journal.',
  plan: 'The plan as JSON: what exists, the steps, the estimate.',
} as const;

type AmiOutputs = CommandResult<typeof AMI_OUTPUTS>['outputs'];

const NO_OUTPUTS: AmiOutputs = {
  ...{ amis: '{}', json: '', changed: 'false', failedRegions: '', manifest: '', journal: '', plan: '' },
};

/** What `deploy-ami` did, in each of its faces. */
export function presentAmi(result: AmiResult): CommandResult<typeof AMI_OUTPUTS> {
  if (result.kind === 'plan') {
    const plan = amiPlanJson(result.plan);
    return {
      outputs: { ...NO_OUTPUTS, plan },
      data: { schemaVersion: 1, kind: 'plan', ...JSON.parse(plan) },
      text: amiPlanText(result.plan),
      summary: amiPlanMarkdown(result.plan),
    };
  }
  return result.kind === 'undo' ? presentUndo(result) : presentDeploy(result);
}

function presentUndo({ undone, gone, left, journal }: Extract<AmiResult, { kind: 'undo' }>) {
  const lines = [...undone.map(undoneText), ...gone.map(goneText), ...left.flatMap(leftLines)];
  return {
    outputs: { ...NO_OUTPUTS, changed: String(undone.length > 0), journal: journal ?? '' },
    data: { schemaVersion: 1, kind: 'undo', undone, gone, left, journal: journal ?? null },
    text: lines.length > 0 ? lines.join('\n') : 'nothing is there to be taken back',
    summary: lines.map((line) => `- ${plainMarkdown(line)}\n`).join(''),
    ...(left.length > 0 ? { failure: notUndone(left) } : {}),
  };
}

const goneText = ({ region, what }: Undone): string => `already gone in ${region}: ${what}`;

const undoneText = ({ region, what }: Undone): string => `taken back in ${region}: ${what}`;

const leftLines = ({ region, what, why, commands }: Left): string[] => [
  `left in ${region}: ${what}: ${why}`,
  ...commands.map((command) => `  ${command}`),
];

const UNDO_DOCS = 'amis.md#when-it-fails';

const notUndone = (left: readonly Left[]): UserError =>
  new UserError(
    'aws',
    `${countText(left.length, 'thing')} could not be taken back:\n${indented(left.flatMap(leftLines))}`,
    {
      hint: 'Run the commands that are listed, or deploy-ami --undo with the journal later.',
      docs: UNDO_DOCS,
    },
  );

const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');

const HEADINGS = ['Region', 'Image', 'System', 'Version', 'AMI', 'Name'];

const rowOf = ({ region, image, system, version, id, name }: DeployedAmi): string[] => [
  region,
  image,
  system,
  version,
  id,
  name,
];

function presentDeploy({ plan, deployed, manifest, sent, undone, files }: Extract<AmiResult, { kind: 'deploy' }>) {
  const { outcome, amis, failedRegions, left } = deployed;
  const rows = amis.map(rowOf);
  const failed = [...failedRegions].map(([region, why]) => `${region} has none: ${why}`);
  const lines = [
    ...(rows.length > 0 ? columns([HEADINGS, ...rows]) : []),
    ...sent.map(sentText),
    ...failed,
    ...(plan.steps.length === 0 ? ['nothing to do: everything is there and published'] : []),
    ...(files.journal === undefined ? [] : [`journal: ${files.journal}`]),
  ];
  const failure = failureOf(deployed.failure, undone, left, files.journal ?? 'JOURNAL');
  return {
    outputs: {
      ...NO_OUTPUTS,
      amis: JSON.stringify(byRegion(amis)),
      json: manifest === undefined ? '' : JSON.stringify(manifest),
      changed: String(plan.steps.length > 0 && amis.length > 0),
      failedRegions: [...failedRegions.keys()].join('\n'),
      manifest: files.manifest ?? '',
      journal: files.journal ?? '',
    },
    data: {
      schemaVersion: 1,
      kind: 'deploy',
      outcome,
      manifest: manifest ?? null,
      sent,
      undone,
      left,
      journal: files.journal ?? null,
    },
    text: lines.join('\n'),
    summary: summaryOf(rows, [...sent.map(sentText), ...failed, ...undone.map(undoneText), ...left.flatMap(leftLines)]),
    ...(failure ? { failure } : {}),
  };
}

const summaryOf = (rows: readonly (readonly string[])[], notes: readonly string[]): string =>
  [
    ...(rows.length > 0
      ? [
          markdownTable(
            HEADINGS,
            rows.map((row) => row.map(plainMarkdown)),
          ),
          '\n',
        ]
      : []),
    ...notes.map((note) => `- ${plainMarkdown(note)}\n`),
  ].join('');

const sentText = ({ image, system, region, sent, resumed, skippedZero, skippedEqual, snapshotId }: SentDisk): string =>
  [
    `${snapshotId} in ${region}, ${image} for ${system}: ${countText(sent, 'block')} sent`,
    ...(resumed > 0 ? [`${resumed} sent by an earlier run`] : []),
    ...(skippedZero > 0 ? [`${skippedZero} of zeros left out`] : []),
    ...(skippedEqual > 0 ? [`${skippedEqual} as in the snapshot before`] : []),
  ].join(', ');

/** Ids by region and system; of several images there would be two for one place, so none is given. */
function byRegion(amis: readonly DeployedAmi[]): Record<string, Record<string, string>> {
  const result: Record<string, Record<string, string>> = {};
  if (new Set(amis.map(({ image }) => image)).size > 1) return result;
  for (const { region, system, id } of amis) result[region] = { ...result[region], [system]: id };
  return result;
}

/** The failure with what became of what was made. */
function failureOf(
  error: UserError | undefined,
  undone: readonly Undone[],
  left: readonly Left[],
  journal: string,
): UserError | undefined {
  if (error === undefined) return left.length > 0 ? notUndone(left) : undefined;
  const lines = [...undone.map(undoneText), ...left.flatMap(leftLines)];
  const message = lines.length > 0 ? `${error.message}\n${indented(lines)}` : error.message;
  const hints = [
    error.hint,
    left.length > 0 ? `What is left is removed by the commands above, or by deploy-ami --undo ${journal}.` : undefined,
  ];
  const hint = hints.filter((one) => one !== undefined && one !== '').join('\n');
  const docs = left.length > 0 ? UNDO_DOCS : (error.docs ?? UNDO_DOCS);
  return new UserError(error.code, message, { hint: hint || undefined, docs, cause: error });
}
