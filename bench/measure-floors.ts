import { join } from 'node:path';
import type { Steps } from './floor.ts';
import { timed } from './measure/timed.ts';
import { measureSteps, type StepPlace } from './steps/measure-steps.ts';
import { OWN_CODECS, type OwnCodec, publishWords } from './subjects/own.ts';

/** CPU of each step of a cold publish, for each codec. */
export async function measureFloors(
  place: StepPlace,
  env: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<Partial<Record<OwnCodec, Steps>>> {
  const floorOf = async (codec: OwnCodec): Promise<Steps> => {
    const layout = join(place.scratch, `layout-${codec.replace(':', '-')}`);
    const args = publishWords(place.inputs.nixWords, codec, `oci:${layout}:latest`);
    await timed({ program: process.execPath, args, env }, place.scratch);
    log(`${codec}: CPU of each step`);
    return measureSteps(place, codec, layout);
  };
  const floors: Partial<Record<OwnCodec, Steps>> = {};
  for (const codec of OWN_CODECS) floors[codec] = await floorOf(codec);
  return floors;
}
