import type { Log, Progress } from '../core/log.ts';
import { shortDigest } from '../oci/digest.ts';
import type { System } from '../oci/system.ts';
import type { Layer, StoredLayer } from './layer.ts';

/** What is in a layer, in a few words. */
export const layerTitle = (layer: Layer): string =>
  layer.kind === 'tree' ? layer.title : layer.kind === 'stream' ? layer.label : shortDigest(layer.descriptor.digest);

interface WatchTools {
  readonly log: Pick<Log, 'span'>;
  readonly progress: Pick<Progress, 'part'>;
  readonly system: System;
  /** Gets the bytes of all layers, too. */
  readonly onBytes: (count: number) => void;
}

/** Shows a layer while it is made and sent, and takes its time. */
export async function watchLayer(
  layer: Layer & { readonly size: number },
  { log, progress, system, onBytes }: WatchTools,
  send: (onBytes: (count: number) => void) => Promise<StoredLayer>,
): Promise<StoredLayer> {
  const name = layerTitle(layer);
  const part = progress.part(name, layer.size);
  const span = log.span({ track: 'sending', name, facts: { system, bytesToRead: layer.size } });
  let done = 0;
  try {
    const stored = await send((count) => {
      done += count;
      part.update(done);
      onBytes(count);
    });
    span.end({ digest: stored.descriptor.digest, size: stored.descriptor.size });
    return stored;
  } finally {
    span.end({ failed: 'yes' });
    part.end();
  }
}
