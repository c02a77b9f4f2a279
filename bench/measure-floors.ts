import { join } from 'node:path';
import type { Steps } from './floor.ts';
import { timed } from './measure/timed.ts';
import { measureSteps, type StepPlace } from './steps/measure-steps.ts';
import { publishWords } from './subjects/own.ts';

/** CPU of each step of a cold publish, for each codec that is made in this process. */
export async function measureFloors(
  place: StepPlace,
  env: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<{ gzip: Steps; zstd: Steps }> {
  const floorOf = async (codec: 'gzip' | 'zstd'): Promise<Steps> => {
    const layout = join(place.scratch, `layout-${codec}`);
    const args = publishWords(place.inputs.nixWords, codec, `oci:${layout}:latest`);
    await timed({ program: process.execPath, args, env }, place.scratch);
    log(`${codec}: CPU of each step`);
    return measureSteps(place, codec, layout);
  };
  return { gzip: await floorOf('gzip'), zstd: await floorOf('zstd') };
}
