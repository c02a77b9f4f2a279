import { UserError } from '../core/error.ts';
import { Gate } from '../core/gate.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/retry.ts';
import type { StartedRun } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { statusOf } from '../storage/registry/failure.ts';
import type { ImageSource } from '../storage/source.ts';
import { copyImage } from './copy-image.ts';
import { type PublishedTarget, publishedTarget, type Target } from './target.ts';

/** Images at once at one place that may fail, so that many images do not ask for all at the same time. */
const AT_ONCE = 4;

/** A target that may fail, and what it took while the others were written. */
interface OptionalTarget {
  readonly target: Target;
  /** Waits for what it is still taking; rejects where it failed for good. */
  settle(): Promise<void>;
  /** What is done once its tags have moved. */
  show(): Promise<void>;
}

interface Options {
  /** Whether what refers to the image goes along. */
  readonly referrers?: boolean;
  readonly verify: boolean;
  readonly run: StartedRun | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * The destinations of a run that may fail. Each image goes there once it is published where it must be, and each place has a
 * queue of its own, so none waits for another. A place that did not answer for one image is not asked for the next.
 */
export class OptionalTargets {
  readonly #gates = new Map<string, Gate>();
  readonly #silent = new Map<string, string>();

  /** Whether its place did not answer for another image. */
  isSilent(target: Target): boolean {
    return this.#silent.has(placeOf(target));
  }

  /**
   * Copies what the target does not have of `manifest` from `source`, reads back and moves its tags. A failure is a warning
   * and a part of the result. Throws UserError `cancelled`.
   */
  publish(
    { target, settle, show }: OptionalTarget,
    manifest: StoredManifest,
    source: ImageSource,
    options: Options,
  ): Promise<PublishedTarget> {
    const { repository } = target;
    const place = placeOf(target);
    const gate = this.#gates.get(place) ?? new Gate(target.kind === 'registry' ? AT_ONCE : 1);
    this.#gates.set(place, gate);
    return gate.run(async () => {
      try {
        const silent = this.#silent.get(place);
        if (silent !== undefined) throw new UserError('registry', silent);
        await settle();
        const { left } = await copyImage(manifest, source, [target], { referrers: false, ...options });
        await show();
        return publishedTarget(
          target,
          left.map(({ tag }) => tag),
        );
      } catch (error) {
        await repository.abandon();
        if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
        if (error.code === 'registry' && statusOf(error) === undefined) this.#silent.set(place, error.message);
        return failedTarget(target, error, options.log);
      }
    });
  }
}

/** The registry, whose host answers for all of its repositories, or the file. */
const placeOf = ({ kind, repository: { name } }: Target): string =>
  kind === 'registry' ? name.replace(/^docker:\/\//, '').replace(/\/.*/, '') : name;

/** A target that may fail and did: said as a warning. */
export function failedTarget(target: Target, error: UserError, log: Log): PublishedTarget {
  log.warn(`${target.repository.name} is not published, which is allowed: ${error.message}`);
  return { ...publishedTarget(target), tags: [], failure: error.message };
}
