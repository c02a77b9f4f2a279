import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { InputsOf } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { ListenOn } from '../serve/http-server.ts';
import { openLayerMemory } from '../serve/layer-memory.ts';
import { type Serving, startServing } from '../serve/start-serving.ts';
import { layerThreads } from './build-tools.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { type DefinitionInputs, definitionsOf } from './served-definitions.ts';
import type { nixInputs, registryInputs } from './shared-inputs.ts';
import { stateFolder } from './state-folder.ts';

type ServingInputs = DefinitionInputs & InputsOf<typeof nixInputs> & InputsOf<typeof registryInputs>;

/** A registry that is up, and what it serves. */
export interface OpenServing extends Serving {
  /** As a person writes it: `.`, `.#app`. */
  readonly text: string;
  /** Names of the images, as they were at the start. */
  readonly names: readonly string[];
  /** How a person names one of them: `.#app`. */
  installableOf(name: string): string;
}

/**
 * Serves what the inputs name in this process. Evaluates once, so that what is broken from the start is told. Throws UserError as the
 * evaluation, and `input` where the address cannot be listened on.
 */
export async function openServing(
  inputs: ServingInputs,
  settings: ListenOn & { readonly token: string | undefined },
  host: Host,
): Promise<OpenServing> {
  const nix = await openNixFor(host, inputs);
  const places = await placesOf(host, inputs);
  const definitions = definitionsOf(inputs, nix, host);
  const names = await definitions.names();
  const serving = await startServing(settings, definitions, {
    nix,
    exec: host.exec,
    log: host.log,
    signal: host.signal,
    clock: systemClock,
    tempDir: await host.tempDir(),
    openForReading: places.openForReading,
    openWriter: layerThreads(host),
    memory: await openLayerMemory(join(stateFolder(host), 'served-layers.jsonl'), host.log),
  });
  return { ...serving, text: definitions.text, names, installableOf: definitions.installableOf };
}
