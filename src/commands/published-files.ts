import { codeMarkdown, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { sizeText } from '../core/size.ts';
import type { System } from '../oci/system.ts';

/** What became of a disk at one place of files. */
export interface FilesTarget {
  /** As a person writes it. */
  readonly name: string;
  /** Paths or URLs of the files. */
  readonly files: readonly string[];
  readonly bytesSent: number;
  /** Why they are not there, which was allowed. */
  readonly failure?: string;
}

/** A disk that was published as files. */
export interface PublishedFiles {
  readonly name: string;
  readonly systems: readonly System[];
  readonly targets: readonly FilesTarget[];
}

/** What a person sees of it. */
export const filesText = ({ targets }: PublishedFiles): string =>
  targets
    .flatMap(({ name, files, bytesSent, failure }) =>
      failure === undefined
        ? [plainLine(`${name} (${sizeText(bytesSent)} sent)`), ...files.map((file) => `  ${plainLine(file)}`)]
        : [plainLine(`not published, which is allowed: ${name}: ${failure}`)],
    )
    .join('\n');

/** The same as Markdown, for a job's summary. */
export const filesSummary = ({ name, targets }: PublishedFiles): string =>
  [
    `### ${plainMarkdown(name)}: files`,
    '',
    ...targets.flatMap(({ name: place, files, failure }) =>
      failure === undefined
        ? files.map((file) => `- ${codeMarkdown(plainLine(file))}`)
        : [`- Not published, which is allowed: ${plainMarkdown(`${place}: ${failure}`)}`],
    ),
    '',
  ].join('\n');

/** The same as data, for `--json`; sizes in bytes. */
export const filesData = ({ name, systems, targets }: PublishedFiles) => ({ name, systems, files: targets });
