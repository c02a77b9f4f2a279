import type { PointersMoved } from '../ami/move-pointers.ts';
import type { PlannedMove } from '../ami/plan-moves.ts';
import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { columns } from '../core/table.ts';

/** What `promote-ami` did, or would do. */
export interface AmiPromotion extends PointersMoved {
  readonly kind: 'promote' | 'rollback';
  readonly image: string;
  readonly isDryRun: boolean;
  readonly pointers: readonly PlannedMove[];
}

type Pointer = AmiPromotion['pointers'][number];

function outcomeOf({ isDryRun, failure }: AmiPromotion, { isSame, before }: Pointer): string {
  if (isSame) return 'points there already';
  if (failure !== undefined) return 'not moved';
  const from = before === undefined ? 'new' : `from ${before.value}`;
  return isDryRun ? `would move ${from}` : `moved ${from}`;
}

const HEADINGS = ['region', 'parameter', 'version', 'AMI', 'outcome'];

const rowsOf = (result: AmiPromotion): string[][] =>
  result.pointers.map((one) => [one.region, one.name, one.version, one.amiId, outcomeOf(result, one)]);

const leftLines = ({ left }: AmiPromotion): string[] =>
  left.flatMap(({ region, what, why, commands }) => [
    `still there in ${region}: ${what}: ${why}`,
    ...commands.map((one) => `  ${one}`),
  ]);

/** What `promote-ami` did, in each of its faces. */
export function presentAmiPromotion(result: AmiPromotion) {
  const { kind, image, isDryRun, pointers, failure, left } = result;
  const isMoved = failure === undefined && !isDryRun && pointers.some(({ isSame }) => !isSame);
  const data = {
    ...{ schemaVersion: 1, kind, image, dryRun: isDryRun, changed: isMoved },
    pointers: pointers.map((one) => ({
      ...{ region: one.region, name: one.name, system: one.system, version: one.version, amiId: one.amiId },
      ...{ before: one.before?.value ?? null, moved: isMoved && !one.isSame },
    })),
    left,
  };
  const versions = [...new Set(pointers.map(({ version }) => version))];
  const title = isDryRun ? 'Would point' : failure === undefined ? 'Pointed' : 'Could not point';
  return {
    outputs: {
      version: failure === undefined && !isDryRun ? versions.join('\n') : '',
      changed: String(isMoved),
      json: JSON.stringify(data),
    },
    data,
    text: [...columns([HEADINGS, ...rowsOf(result)]), ...leftLines(result)].map(plainLine).join('\n'),
    summary: [
      `### ${title} parameters to ${codeMarkdown(image)} ${versions.map(codeMarkdown).join(', ')}`,
      '',
      markdownTable(
        HEADINGS,
        rowsOf(result).map((row) => row.map(plainMarkdown)),
      ),
      ...leftLines(result).map((line) => `- ${plainMarkdown(line)}`),
    ].join('\n'),
    ...(failure === undefined ? {} : { failure }),
  };
}
