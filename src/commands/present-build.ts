import { countText } from '../core/count.ts';
import { plainMarkdown } from '../core/markdown.ts';
import { shellWord } from '../core/shell.ts';
import { sizeText } from '../core/size.ts';
import { platformOf, platformText } from '../oci/system.ts';
import { compressedSize } from '../publish/platform-image.ts';
import { platformRow, platformTable } from '../publish/report.ts';
import { testRunData, testRunSummary, testRunText } from '../test-run/report.ts';
import type { MadeHandover } from './make-handover.ts';

/** What a person sees of a build, and what its step gives to later ones. */
export function presentBuild(made: MadeHandover) {
  const { image, label, testRun, mode, delivered, bytesSent, failure } = made;
  const { name, system } = label;
  const { place: handover, digest: handoverDigest } = delivered;
  const { digest } = image.manifest;
  const size = compressedSize(image.layers);
  const left = mode === 'none' || mode === 'report' ? 'not handed over' : `handover: ${handover}`;
  return {
    outputs: { handover, handoverDigest, name, system, digest },
    data: {
      schemaVersion: 1,
      name,
      kind: label.kind,
      system,
      platform: platformText(platformOf(system)),
      digest,
      layers: image.layers.length,
      compressedSize: size,
      handover,
      mode,
      bytesSent,
      tests: testRunData(testRun),
    },
    text: [
      `${name} for ${system}: ${countText(image.layers.length, 'layer')}, ${sizeText(size)}`,
      `${label.kind === 'disk' ? 'disk' : 'image'} ${digest}`,
      ...(testRunText(testRun) === '' ? [] : [testRunText(testRun)]),
      left,
      ...nextLines(made),
    ].join('\n'),
    summary: [
      `### ${name} for ${system}\n`,
      platformTable([platformRow(system, digest, image.layers, bytesSent)]),
      ...(testRunText(testRun) === '' ? [] : [testRunSummary(testRun)]),
      `${plainMarkdown(left)}\n`,
    ].join('\n'),
    ...(failure === undefined ? {} : { failure }),
  };
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
