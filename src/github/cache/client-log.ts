/** A line of the client's log. The runner's commands (`::warning::…`) are read, so a line has no such beginning. */
interface ClientLine {
  readonly level: 'debug' | 'info' | 'warning' | 'error';
  readonly text: string;
}

/** What the client wrote to standard output. */
export interface ClientLog {
  readonly lines: readonly ClientLine[];
  /** What it told the runner to hide: signatures of URLs. */
  readonly secrets: readonly string[];
}

const COMMAND = /^::(debug|warning|error|add-mask)(?: [^:]*)?::(.*)$/;

/** Undoes what @actions/core does to a command's text. */
const unescaped = (text: string): string =>
  text.replace(/%(0D|0A|25)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));

/** Reads the client's log from the output of its process. */
export function readClientLog(stdout: string): ClientLog {
  const lines: ClientLine[] = [];
  const secrets: string[] = [];
  for (const line of stdout.split('\n')) {
    const [, command, escaped = ''] = COMMAND.exec(line) ?? [];
    if (command === 'add-mask') secrets.push(unescaped(escaped));
    else if (command === undefined) lines.push({ level: 'info', text: line });
    else lines.push({ level: command as ClientLine['level'], text: unescaped(escaped) });
  }
  return { lines, secrets };
}
