import { countText } from '../core/count.ts';
import { docsData, docsOf, hintsOf, UserError } from '../core/error.ts';
import { plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { shellWord } from '../core/shell.ts';
import { sizeText } from '../core/size.ts';
import { layerData, layerSummary, layerText, type ShownLayers } from '../image/layer-table.ts';
import { platformOf, platformText } from '../oci/system.ts';
import { compressedSize } from '../publish/platform-image.ts';
import { platformRow, platformTable } from '../publish/report.ts';
import { testRunData, testRunSummary, testRunText } from '../test-run/report.ts';
import type { BuiltImages } from './build-each.ts';
import type { MadeHandover } from './make-handover.ts';

/** What a person sees of a build, and what its step gives to later ones. */
export function presentBuild({ built, failed }: BuiltImages) {
  const lines = (of: (made: MadeHandover) => string): string => built.map(of).join('\n');
  const failure = failureOf({ built, failed });
  const notBuilt = failed.map(({ name, error }) => `${plainLine(name)} is not built: ${plainLine(error.message)}`);
  const [first] = built;
  const sole = first && built.length + failed.length === 1 ? first : undefined;
  return {
    outputs: {
      handover: lines(({ delivered }) => delivered.place),
      handoverDigest: lines(({ delivered }) => delivered.digest),
      name: lines(({ label }) => label.name),
      system: first?.label.system ?? '',
      digest: lines(({ image }) => image.manifest.digest),
    },
    data: sole
      ? { schemaVersion: 1, ...dataOf(sole) }
      : {
          schemaVersion: 1,
          images: built.map(dataOf),
          failed: failed.map(({ name, error }) => ({ name, error: error.message, ...docsData(error) })),
        },
    text: [...built.map(textOf), ...(notBuilt.length > 0 ? [notBuilt.join('\n')] : [])].join('\n\n'),
    summary: [...built.map(summaryOf), ...notBuilt.map((line) => `${plainMarkdown(line)}\n`)].join('\n'),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** One error for what failed, tests too; undefined where nothing did. */
function failureOf({ built, failed }: BuiltImages): UserError | undefined {
  const tested = built.flatMap(({ label, failure }) => (failure ? [{ name: label.name, error: failure }] : []));
  const all = [...failed, ...tested];
  const [first] = all;
  const count = built.length + failed.length;
  if (first === undefined || count === 1) return first?.error;
  const list = all.map(({ name, error }) => `\n  ${name}: ${error.message}`).join('');
  const errors = all.map(({ error }) => error);
  return new UserError(first.error.code, `${all.length} of ${countText(count, 'image')} are not built:${list}`, {
    hint: hintsOf(errors),
    docs: docsOf(errors),
  });
}

function dataOf({ image, label, testRun, mode, delivered, bytesSent }: MadeHandover) {
  return {
    name: label.name,
    kind: label.kind,
    system: label.system,
    platform: platformText(platformOf(label.system)),
    digest: image.manifest.digest,
    layers: image.layers.length,
    compressedSize: compressedSize(image.layers),
    handover: delivered.place,
    mode,
    bytesSent,
    layerReport: layerData({ outcomes: image.outcomes, bytesSent }) ?? null,
    tests: testRunData(testRun),
  };
}

const leftText = ({ mode, delivered }: MadeHandover): string =>
  mode === 'none' || mode === 'report' ? 'not handed over' : `handover: ${delivered.place}`;

const tableOf = ({ image, bytesSent }: MadeHandover): ShownLayers => ({ outcomes: image.outcomes, bytesSent });

function textOf(made: MadeHandover): string {
  const { image, label, testRun } = made;
  const table = layerText(tableOf(made));
  return [
    `${label.name} for ${label.system}: ${countText(image.layers.length, 'layer')}, ${sizeText(compressedSize(image.layers))}`,
    ...(table === '' ? [] : [table]),
    `${label.kind === 'disk' ? 'disk' : 'image'} ${image.manifest.digest}`,
    ...(testRunText(testRun) === '' ? [] : [testRunText(testRun)]),
    leftText(made),
    ...nextLines(made),
  ].join('\n');
}

function summaryOf(made: MadeHandover): string {
  const { image, label, testRun, bytesSent } = made;
  const table = layerSummary(tableOf(made));
  return [
    `### ${label.name} for ${label.system}\n`,
    platformTable([platformRow(label.system, image.manifest.digest, image.layers, bytesSent)]),
    ...(table === '' ? [] : [table]),
    ...(testRunText(testRun) === '' ? [] : [testRunSummary(testRun)]),
    `${plainMarkdown(leftText(made))}\n`,
  ].join('\n');
}

/** How to go on by hand; the job that publishes finds an artifact by itself. */
function nextLines({ label, mode, delivered }: MadeHandover): string[] {
  if (mode === 'none' || mode === 'report' || label.run !== null) return [];
  const others = label.systems.filter((system) => system !== label.system);
  const to = label.destination === null ? '' : ` --to ${shellWord(label.destination.replace(/^docker:\/\//, ''))}`;
  return [
    ...(others.length > 0
      ? [`next: build it for ${others.join(' and ')} too, and name each handover with --from`]
      : []),
    `next: nix-images publish --from ${shellWord(delivered.place)}${to}`,
  ];
}
