import { canonicalJson, type Json } from '../../core/canonical-json.ts';
import type { Log } from '../../core/log.ts';
import { formatRecord } from '../../definition/base-record.ts';
import type { Closure } from '../../definition/closure.ts';
import type { Definition } from '../../definition/definition.ts';
import { definitionKey } from '../../definition/image-key.ts';
import { type PlannedLayer, rootLayer, type StoreLayer } from '../../definition/layer.ts';
import { layerBudget, planLayers } from '../../definition/layer-plan.ts';
import { layerHistory } from '../../definition/layer-words.ts';
import type { Nix } from '../../nix/nix.ts';
import { imageConfigBytes } from '../../oci/config.ts';
import { platformOf, type System } from '../../oci/system.ts';
import { MODE } from '../../tar/profile.ts';
import type { RoundMember } from '../build-round.ts';
import type { ExistingImage } from '../existing-image.ts';
import { type Image, inFormat } from '../image.ts';
import type { Reuse } from '../reuse.ts';
import { type BaseFacts, baseFacts, storeOverBase } from './base-facts.ts';
import { baseLayers } from './base-layers.ts';
import type { ImageClosure } from './image-closure.ts';
import { openImagePaths } from './image-paths.ts';
import { type BaseTools, openBase } from './open-base.ts';
import { treeLayers } from './tree-layers.ts';
import { whyBuilt } from './why-built.ts';

/** A definition whose closure is known, in the store of this machine or elsewhere. */
interface RealisedDefinition {
  readonly definition: Definition;
  readonly system: System;
  readonly closure: ImageClosure;
  readonly gcRootDir: string;
}

interface DefinitionTools extends BaseTools {
  readonly nix: Nix;
  readonly log: Log;
  /** The images that are built with it, where there are others. */
  readonly round?: RoundMember | undefined;
}

/**
 * Plans the image of one definition for one system, keeping what the image before has of its plan. Throws UserError
 * `definition` for what cannot be put together, and as `openBase` does.
 */
export async function openDefinition(
  { definition, system, closure, gcRootDir }: RealisedDefinition,
  reuse: Pick<Reuse, 'groups' | 'bases'>,
  tools: DefinitionTools,
): Promise<Image> {
  const { format, compression, annotations } = definition;
  const { nix, tempDir, log, signal, round } = tools;
  const base = await openBase(definition, system, tools);
  const close = async (): Promise<void> => base?.repository.close();
  try {
    for (const { mediaType } of base?.layers ?? []) inFormat(format, mediaType);
    const facts = base && baseFacts(base, reuse.bases, log, signal);
    log.info(`${system}: ${whyBuilt(closure.closure, reuse)}`);
    const planned = await plan(definition, closure.closure, { base, facts, groups: reuse.groups, round });
    const { layers, prepare } = treeLayers(planned, {
      openPaths: (demand) => openImagePaths(nix, definition, { image: closure, demand, gcRootDir, tempDir }),
      facts,
      tempDir,
    });
    const inherited = base ? baseLayers(base) : [];
    return {
      system,
      key: definitionKey(definition, system),
      layers: [...inherited, ...layers],
      inherited: inherited.length,
      format,
      compression,
      annotations,
      config: ({ diffIds, created }) =>
        imageConfigBytes({
          platform: platformOf(system),
          config: definition.config,
          diffIds: diffIds.slice(inherited.length),
          history: planned.map(layerHistory),
          base: base?.config,
          created: definition.created ?? created,
        }),
      prepare,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Below {
  readonly base: ExistingImage | undefined;
  readonly facts: BaseFacts | undefined;
  readonly groups: Reuse['groups'];
  readonly round: RoundMember | undefined;
}

/** Store layers first, the root layer on top, because it changes most. */
async function plan(
  definition: Definition,
  closure: Closure,
  { base, facts, groups, round }: Below,
): Promise<PlannedLayer[]> {
  const root = rootLayer(definition, closure, facts?.id);
  const budget = layerBudget(definition.maxLayers, base?.layers.length ?? 0, root !== undefined, closure.length);
  const storeMode = definition.includeNixDB ? MODE.storeWithDatabase : MODE.store;
  const { answer: over, record } = (await facts?.ask(storeOverBase)) ?? { answer: {} };
  // A store in which Nix runs has the mode that it needs, whatever the base has.
  const store = over.store && definition.includeNixDB ? { ...over, store: { ...over.store, mode: storeMode } } : over;
  // What else is in a layer's bytes: where it differs, no layer is the same.
  const like = canonicalJson({ storeMode, over: store as Json, compression: definition.compression });
  const grouped = round
    ? await round.plan({ closure, budget, previous: groups }, like)
    : planLayers(closure, budget, groups);
  const layers = grouped.map((paths): StoreLayer => ({ kind: 'store', paths, storeMode, over: store }));
  if (root) return [...layers, root];
  return layers.map((layer, at) =>
    record && at === layers.length - 1 ? { ...layer, base: formatRecord(record) } : layer,
  );
}
