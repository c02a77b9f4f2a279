import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Artifacts } from '../github/artifacts.ts';
import type { Job } from '../github/job.ts';

/** Days that GitHub keeps a console: a test that fails now and then is looked into within a week or never. */
const RETENTION_DAYS = 7;

/** What ends the name of a console's file. */
const ENDING = '.console.txt';

/**
 * Uploads the consoles in a folder, each as an artifact of the run that a browser shows as it is. Nothing is lost with
 * one that cannot be uploaded but the text, so that is a warning.
 */
export async function uploadConsoles(
  folder: string,
  { attempt }: Pick<Job, 'attempt'>,
  { artifacts, log }: { readonly artifacts: Pick<Artifacts, 'upload'>; readonly log: Log },
): Promise<void> {
  // Absent where no machine was started.
  for (const file of await readdir(folder).catch(() => [])) {
    // A name is taken for all attempts of a run.
    const name = `${file.slice(0, -ENDING.length)}-${attempt}${ENDING}`;
    try {
      await artifacts.upload(name, join(folder, file), { retentionDays: RETENTION_DAYS });
      log.info(`the console is in the artifact ${name}`);
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      log.warn(`the console ${file} is lost: ${error.message}`);
    }
  }
}
