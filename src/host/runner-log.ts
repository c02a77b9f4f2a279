import type { Log } from '../core/log.ts';
import { plainLine, plainText } from '../core/printable.ts';
import { NO_SPAN } from '../core/span.ts';
import { type Mask, SHORTEST } from './mask.ts';
import { createProgressBoard, SPARSE } from './progress.ts';

/** The part of `@actions/core` that is used here. */
export type Toolkit = Pick<
  typeof import('@actions/core'),
  | 'debug'
  | 'info'
  | 'warning'
  | 'error'
  | 'startGroup'
  | 'endGroup'
  | 'setSecret'
  | 'setOutput'
  | 'exportVariable'
  | 'saveState'
> & {
  readonly summary: { addRaw(text: string, eol?: boolean): { write(): Promise<unknown> } };
};

/**
 * @internal A line that the runner does not take for a workflow command. Build logs and evaluation messages come from
 * whoever wrote the code; without this they could set outputs or hide the rest of the log. The runner looks
 * for `::` at the start of a line and for `##[` anywhere.
 */
export const withoutCommands = (line: string): string => line.replace(/^(\s*):(?=:)/, '$1: ').replaceAll('##[', '## [');

/** The log of a workflow's step. */
export function createRunnerLog(toolkit: Toolkit, mask: Mask, now: () => number): Log {
  const clean = (text: string) => mask.apply(plainText(text));
  const info = (text: string) => {
    for (const line of clean(text).split('\n')) toolkit.info(withoutCommands(line));
  };
  const board = createProgressBoard(
    { show: (lines) => info(lines.join(' · ')), clear: () => {}, print: info },
    { now, ...SPARSE },
  );
  let open = 0;
  return {
    debug: (text) => toolkit.debug(clean(text)),
    info,
    warn: (text) => toolkit.warning(clean(text)),
    group: async (heading, work) => {
      // The runner knows one level: an inner group would end the outer one.
      if (open === 0) toolkit.startGroup(clean(plainLine(heading)));
      else info(plainLine(heading));
      open += 1;
      try {
        return await work();
      } finally {
        open -= 1;
        if (open === 0) toolkit.endGroup();
      }
    },
    progress: (label, total) => board.start(label, total),
    span: () => NO_SPAN,
    mask: (value, from) => {
      if (from === 'server') return mask.addChosen(value);
      mask.add(value);
      // The runner drops outputs that hold a secret, so what a server chose is never told to it.
      if (value.trim().length >= SHORTEST) toolkit.setSecret(value);
    },
  };
}
