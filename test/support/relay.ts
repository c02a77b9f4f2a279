import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RunningRelay extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Bytes that have come from clients and from the server. */
  readonly moved: { readonly up: number; readonly down: number };
  /** Whether a connection was cut. */
  readonly hasCut: boolean;
}

/** Where a connection ends: at that byte of all that move in one direction. */
export interface Cut {
  readonly direction: 'up' | 'down';
  readonly at: number;
}

/** Passes connections on to a port of this machine, and ends the one over which a certain byte moves, once. */
export const startRelay = async (port: number, cut?: Cut): Promise<RunningRelay> => {
  const moved = { up: 0, down: 0 };
  const sockets = new Set<Socket>();
  let hasCut = false;
  const pass = (from: Socket, to: Socket, direction: Cut['direction']): void => {
    from.on('data', (bytes: Buffer) => {
      moved[direction] += bytes.length;
      const isHere = cut?.direction === direction && !hasCut && moved[direction] > cut.at;
      if (!isHere) {
        if (to.write(bytes)) return;
        from.pause();
        to.once('drain', () => from.resume());
        return;
      }
      hasCut = true;
      from.destroy();
      to.destroy();
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const server = createServer((client) => {
    const target = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    pass(client, target, 'up');
    pass(target, client, 'down');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    moved,
    get hasCut() {
      return hasCut;
    },
    [Symbol.asyncDispose]: stop,
  };
};
