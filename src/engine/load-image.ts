import type { Exec } from '../core/exec.ts';
import type { Engine, ImageToLoad } from './engine.ts';
import { callEngine } from './find-engine.ts';

/**
 * Has an engine pull an image and call it by its own name; of the name that it was pulled by nothing stays. Two at once do not disturb each
 * other. Gives the name that the engine has it under. Throws UserError `file` with what the engine said.
 */
export async function loadIntoEngine(engine: Engine, image: ImageToLoad, exec: Exec): Promise<string> {
  await callEngine(engine, engine.pull(image), exec);
  try {
    await callEngine(engine, engine.tag(image), exec);
  } finally {
    const [program, ...args] = engine.forget(image);
    // The image is there; a name too many is nothing to fail for.
    await exec(program, args, { cleanup: true, env: engine.env }).catch(() => undefined);
  }
  return engine.fullName(image.name);
}
