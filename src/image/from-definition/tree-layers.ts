import { layerKey, type PlannedLayer, type RootLayer } from '../../definition/layer.ts';
import { describeLayer } from '../../definition/layer-record.ts';
import { storePathName } from '../../definition/store-path.ts';
import type { Layer, LayerTree, TreeLayer } from '../layer.ts';
import type { BaseFacts } from './base-facts.ts';
import type { ImagePaths } from './image-paths.ts';
import { openRoot, openStorePaths, pathsRead } from './layer-tree.ts';

interface TreeTools {
  /** Gets store paths ready to be read, layer by layer. */
  readonly openPaths: (demand: readonly (readonly string[])[]) => Promise<ImagePaths>;
  /** About the base below the layers, if there is one. */
  readonly facts: BaseFacts | undefined;
  readonly tempDir: string;
}

/**
 * The layers that a definition's plan has, and what gets those ready that will be opened: their paths are asked for
 * together, and the root is put together, so that a collision in it is found before anything is sent.
 */
export function treeLayers(
  planned: readonly PlannedLayer[],
  { openPaths, facts, tempDir }: TreeTools,
): { readonly layers: readonly TreeLayer[]; prepare(layers: readonly Layer[]): Promise<void> } {
  const roots = new Map<RootLayer, LayerTree>();
  let paths: ImagePaths | undefined;
  const open = async (layer: PlannedLayer): Promise<LayerTree> => {
    const tree = layer.kind === 'store' ? paths && (await openStorePaths(layer, paths)) : roots.get(layer);
    if (tree) return tree;
    throw new Error('a layer is opened that was not prepared');
  };
  const layers = planned.map((layer): TreeLayer => {
    const key = layerKey(layer);
    return {
      kind: 'tree',
      label: pathsRead(layer).join(', ') || 'files of the image',
      ...shown(layer),
      key,
      size: layer.kind === 'store' ? layer.paths.reduce((sum, info) => sum + info.narSize, 0) : 0,
      record: (tar) => describeLayer(layer, key, tar),
      open: () => open(layer),
    };
  });
  const prepare = async (opened: readonly Layer[]): Promise<void> => {
    const wanted = planned.filter((_, at) => opened.some((layer) => layer === layers[at]));
    if (wanted.length === 0) return;
    paths = await openPaths(wanted.map(pathsRead));
    for (const layer of wanted) {
      if (layer.kind === 'root') roots.set(layer, await openRoot(layer, paths, tempDir, facts));
    }
  };
  return { layers, prepare };
}

/** What stands for a layer in a table: its largest path, for a layer may hold hundreds. */
function shown(layer: PlannedLayer): Pick<TreeLayer, 'title' | 'paths'> {
  if (layer.kind === 'root') return { title: 'files of the image', paths: [] };
  const paths = [...layer.paths].sort((a, b) => b.narSize - a.narSize).map(({ path }) => path);
  const [first = ''] = paths;
  const more = paths.length > 1 ? ` and ${paths.length - 1} more` : '';
  return { title: `${storePathName(first)}${more}`, paths };
}
