import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { StagedFiles } from '../disk-places/files-place.ts';
import { type FilesLine, requiredLines } from '../publish/destination-line.ts';
import { formatFilesLocation } from '../storage/files-location.ts';
import { filesLocationOf } from '../storage/location-template.ts';
import type { DiskPart } from './disk-parts.ts';
import type { FilesPlaces } from './files-places.ts';
import type { FilesTarget } from './published-files.ts';

interface StagingTools {
  readonly files: Pick<FilesPlaces, 'open'>;
  readonly log: Pick<Log, 'group' | 'warn'>;
}

type StagedDisk = Pick<DiskPart, 'name' | 'stem' | 'files' | 'obsolete'>;

/** A disk of one system at one place. */
interface StagedAt {
  readonly line: FilesLine;
  readonly name: string;
  readonly staged: StagedFiles | undefined;
  readonly failure?: string;
}

/** The files of a disk's systems at all of their places, where nobody sees them before `finish`. */
export class StagedDisks {
  readonly #log: StagingTools['log'];
  readonly #all: StagedAt[] = [];
  /** What is neither shown nor taken away. */
  readonly #open = new Set<StagedFiles>();

  private constructor({ log }: StagingTools) {
    this.#log = log;
  }

  /** Stages every disk at every place of files. Throws UserError where one that must not fail does; nothing is left at the others then. */
  static async stage(
    disks: readonly StagedDisk[],
    lines: readonly FilesLine[],
    tools: StagingTools,
  ): Promise<StagedDisks> {
    const staged = new StagedDisks(tools);
    try {
      for (const line of lines) for (const disk of disks) await staged.#stageAt(disk, line, lines, tools);
      return staged;
    } catch (error) {
      await staged.abandon();
      throw error;
    }
  }

  async #stageAt(
    { name: image, stem, files, obsolete }: StagedDisk,
    line: FilesLine,
    lines: readonly FilesLine[],
    { files: places, log }: StagingTools,
  ): Promise<void> {
    const location = filesLocationOf(line, image);
    const name = formatFilesLocation(location);
    try {
      const place = places.open(location, { name: image, stem });
      const staged = await log.group(`Writing ${stem} to ${name}`, async () => place.stage(files, obsolete));
      this.#open.add(staged);
      this.#all.push({ line, name, staged });
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled' || requiredLines(lines).includes(line))
        throw error;
      log.warn(`${name}: ${error.message}`);
      this.#all.push({ line, name, staged: undefined, failure: error.message });
    }
  }

  /** Shows what was staged, place by place: all systems of a disk, or none. Throws UserError; `abandon` takes away what was not shown then. */
  async finish(): Promise<readonly FilesTarget[]> {
    const targets: FilesTarget[] = [];
    for (const [name, all] of Map.groupBy(this.#all, (one) => one.name)) {
      const failure = all.find((one) => one.failure !== undefined)?.failure;
      targets.push(failure === undefined ? await this.#show(name, all) : { name, files: [], bytesSent: 0, failure });
    }
    return targets;
  }

  async #show(name: string, all: readonly StagedAt[]): Promise<FilesTarget> {
    try {
      const files: string[] = [];
      for (const { staged } of all) {
        if (staged === undefined) continue;
        // From here on it ends itself.
        this.#open.delete(staged);
        files.push(...(await staged.finish()));
      }
      const bytesSent = all.reduce((sum, one) => sum + (one.staged?.bytesSent ?? 0), 0);
      return { name, files: [...new Set(files)], bytesSent };
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled' || !all.every(({ line }) => line.mayFail))
        throw error;
      this.#log.warn(`${name}: ${error.message}`);
      return { name, files: [], bytesSent: 0, failure: error.message };
    }
  }

  /** Takes away what was staged and not shown. Never throws. */
  async abandon(): Promise<void> {
    const left = [...this.#open];
    this.#open.clear();
    await Promise.all(left.map((one) => one.abandon()));
  }
}
