import { plainLine } from '../core/printable.ts';
import { sizeText } from '../core/size.ts';
import type { InspectedImage, InspectedLayer, Inspection } from './inspection.ts';

/** Store paths shown of one layer; the rest is counted (`--json` has all). */
const PATHS_SHOWN = 8;

/**
 * An inspection as a person reads it: the reference, then each platform with its layers and their store paths. Texts come from
 * whoever made the image; none may look like another line of this report.
 */
export function inspectionText(inspection: Inspection): string {
  const head = [inspection.reference, inspection.mediaType, inspection.digest];
  const annotations = Object.entries(inspection.annotations).map(([key, value]) => `  ${key}: ${value}`);
  return [...head, ...annotations, ...inspection.images.flatMap(imageLines)].map(plainLine).join('\n');
}

function imageLines(image: InspectedImage): string[] {
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  const count = `${image.layers.length} ${image.layers.length === 1 ? 'layer' : 'layers'}`;
  return ['', `${image.platform}  ${image.digest}  ${count}, ${sizeText(size)}`, ...image.layers.flatMap(layerLines)];
}

function layerLines(layer: InspectedLayer, at: number): string[] {
  const unpacked = layer.unpackedSize === null ? '' : ` (${sizeText(layer.unpackedSize)} unpacked)`;
  const more = layer.storePaths.length - PATHS_SHOWN;
  return [
    `  ${String(at + 1).padStart(3)}  ${layer.digest}  ${sizeText(layer.size)}${unpacked}`,
    ...layer.storePaths.slice(0, PATHS_SHOWN).map((path) => `       ${path}`),
    ...(more > 0 ? [`       and ${more} more`] : []),
    ...(layer.comment === null ? [] : [`       ${layer.comment}`]),
  ];
}
