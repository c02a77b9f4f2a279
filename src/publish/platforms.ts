import { UserError } from '../core/error.ts';
import { platformOf, platformText, SYSTEMS, type System } from '../oci/system.ts';

interface PlatformInput {
  readonly system: System;
  readonly origin: string;
}

/**
 * Checks that every expected system has its image and none has two. Throws UserError `platforms` otherwise; missing
 * ones pass when `allowMissing` says so, but an index of nothing never does.
 */
export function checkPlatforms(
  parts: readonly PlatformInput[],
  expected: readonly System[],
  allowMissing: boolean,
): void {
  for (const system of SYSTEMS) {
    const same = parts.filter((part) => part.system === system);
    if (same.length > 1) {
      throw new UserError(
        'platforms',
        `${system} is there ${same.length} times: ${same.map((part) => part.origin).join(', ')}`,
        {
          hint: 'Hand over one image for each system: leave out what is old, or name one folder for each --from.',
        },
      );
    }
  }
  const missing = expected.filter((system) => !parts.some((part) => part.system === system));
  if (parts.length > 0 && (missing.length === 0 || allowMissing)) return;
  const names = missing.map((system) => `${system} (${platformText(platformOf(system))})`).join(' and ');
  throw new UserError('platforms', missing.length > 0 ? `no image for ${names}` : 'no image to publish', {
    hint: 'Its build job failed, was skipped or did not run: fix it and run it again (in a workflow, re-run failed jobs), or publish without it with --allow-missing.',
    docs: 'workflow-run.md#a-run-that-fails',
  });
}
