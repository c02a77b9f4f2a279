import type { Log } from '../../src/core/log.ts';
import { NO_SPAN } from '../../src/core/span.ts';

/** A log that tells of warnings alone, as `warn` does. */
export const quietLog = (warn: (text: string) => void): Log => ({
  debug: () => undefined,
  info: () => undefined,
  warn,
  group: (_heading, work) => work(),
  progress: () => ({
    update: () => undefined,
    part: () => ({ update: () => undefined, end: () => undefined }),
    end: () => undefined,
  }),
  span: () => NO_SPAN,
  mask: () => undefined,
});
