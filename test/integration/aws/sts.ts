import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { motoServer } from '../../../scripts/setup/python-tools.mjs';
import type { Session } from '../../emulators/aws/emulator.ts';
import { listenOnLoopback } from '../../support/tools.ts';

/** moto's server, which answers as AWS's services do; ends with the test, or when what `onEnd` is given is called. Its address. */
export async function startMoto(onEnd: (end: () => Promise<void>) => void = onTestFinished): Promise<string> {
  const [python = '', ...words] = motoServer();
  // It waits for nothing on port 0 but says which one it was given.
  const child = spawn(python, [...words, '-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  onEnd(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let said = '';
  for await (const chunk of child.stderr.setEncoding('utf8')) {
    said += chunk;
    const [, url] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(said) ?? [];
    if (url !== undefined) {
      child.stderr.resume();
      return url;
    }
  }
  throw new Error(`moto ended:\n${said}`);
}

export interface Sts {
  /** For AWS_ENDPOINT_URL_STS. */
  readonly url: string;
  /** The forms that it was asked by. */
  readonly asked: readonly URLSearchParams[];
  /** Sessions that it has opened. */
  readonly opened: readonly Session[];
}

/** An STS that is moto, and remembers the sessions that it opens, so that another service can know them. */
export async function startSts(moto: string, accept: (session: Session) => void): Promise<Sts> {
  const asked: URLSearchParams[] = [];
  const opened: Session[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    asked.push(new URLSearchParams(body));
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    const answer = await fetch(`${moto}${request.url}`, { method: request.method ?? '', headers, body });
    const xml = await answer.text();
    const field = (name: string): string => new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1] ?? '';
    const session = {
      accessKey: field('AccessKeyId'),
      secret: field('SecretAccessKey'),
      token: field('SessionToken'),
    };
    opened.push(session);
    accept(session);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(xml);
  });
  const { url, close } = await listenOnLoopback(server);
  onTestFinished(close);
  return { url, asked, opened };
}
