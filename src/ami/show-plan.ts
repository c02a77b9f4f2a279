import { countText } from '../core/count.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import { durationText } from '../core/time.ts';
import { type AmiPlan, placeOfStep } from './plan.ts';
import type { Estimate } from './step.ts';

const HEADINGS = ['Region', 'Image', 'System', 'What', 'Undone by', 'Requests', 'Bytes', 'Time', 'Cost'];

const estimateCells = ({ requests, bytes, seconds, dollars }: Estimate): string[] => [
  String(requests),
  bytes === 0 ? '' : sizeText(bytes),
  durationText(seconds * 1000),
  dollars === 0 ? '' : dollarsText(dollars),
];

const LEAST_DOLLARS = 0.0001;

/** Estimates are no bills: two digits say enough. */
const dollarsText = (dollars: number): string =>
  dollars > 0 && dollars < LEAST_DOLLARS
    ? `less than $${LEAST_DOLLARS}`
    : `$${dollars.toFixed(dollars < 0.01 ? 4 : 2)}`;

const rowsOf = (plan: AmiPlan): string[][] =>
  plan.steps.map((step) => {
    const { disk } = placeOfStep(plan, step);
    const what = step.subject === undefined ? step.kind : `${step.kind} ${step.subject}`;
    const cells = [step.region, disk.image, disk.system, step.mayFail ? `${what} (may fail)` : what, step.undo];
    return [...cells, ...estimateCells(step.estimate)];
  });

const existing = ({ places }: AmiPlan): string[] =>
  places.flatMap(({ region, disk, found, parent }) => {
    const what = `of ${disk.image} for ${disk.system}`;
    if (found !== undefined) return [`${region}: ${found.ami.id} ${what} is ${found.ami.state}`];
    if (parent === undefined) return [];
    return [`${region}: ${parent.snapshotId} is an earlier disk ${what}, and ${sizeText(parent.bytesToSend)} differ`];
  });

/** `37 steps in 12 regions: 1234 requests, 1.2 GB, about 14 min, about $1.20`. */
function totalLine({ steps, total }: AmiPlan): string {
  if (steps.length === 0) return 'nothing to do: everything is there and published';
  const regions = new Set(steps.map(({ region }) => region)).size;
  const { requests, bytes, seconds, dollars } = total;
  return (
    `${countText(steps.length, 'step')} in ${countText(regions, 'region')}: ${countText(requests, 'request')}, ` +
    `${sizeText(bytes)}, about ${durationText(seconds * 1000)}, ${dollars < LEAST_DOLLARS ? '' : 'about '}${dollarsText(dollars)}`
  );
}

const leftOut = ({ unreached }: AmiPlan): string[] =>
  [...unreached].map(([region, why]) => `${region} is left out: ${why}`);

/** For people, on a terminal. */
export const amiPlanText = (plan: AmiPlan): string =>
  [
    `account ${plan.account}, uploads to ${plan.home}`,
    ...existing(plan),
    ...leftOut(plan),
    ...(plan.steps.length > 0 ? columns([HEADINGS, ...rowsOf(plan)], [5, 6]) : []),
    totalLine(plan),
    '',
  ].join('\n');

/** For the summary of a job. */
export const amiPlanMarkdown = (plan: AmiPlan): string =>
  [
    ...[...existing(plan), ...leftOut(plan)].map((line) => `- ${plainMarkdown(line)}\n`),
    '\n',
    ...(plan.steps.length > 0
      ? [
          markdownTable(
            HEADINGS,
            rowsOf(plan).map((row) => row.map(plainMarkdown)),
          ),
          '\n',
        ]
      : []),
    `${plainMarkdown(totalLine(plan))}\n`,
  ].join('');

/** For programs: what exists, the steps, the estimate. */
export const amiPlanJson = (plan: AmiPlan): string =>
  JSON.stringify(
    {
      version: plan.version,
      account: plan.account,
      home: plan.home,
      existing: plan.places.flatMap(({ region, disk, content, found }) =>
        found === undefined
          ? []
          : [{ region, image: disk.image, system: disk.system, content, id: found.ami.id, state: found.ami.state }],
      ),
      steps: plan.steps.map((step) => {
        const { disk, content } = placeOfStep(plan, step);
        return { ...step, disk: undefined, image: disk.image, system: disk.system, content };
      }),
      leftOut: Object.fromEntries(plan.unreached),
      total: plan.total,
    },
    undefined,
    2,
  );
