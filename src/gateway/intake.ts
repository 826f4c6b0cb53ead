/**
 * Reads of the agents' sockets without new memory. Node makes a new 64 KiB buffer outside the heap for each read; with
 * conversations of hundreds of kilobytes that is what the garbage collector then spends its time on, marking the whole
 * heap each 64 MiB (docs/benchmarks.md). Here all sockets of a gateway read into one buffer, and whoever takes the bytes
 * copies what stays.
 *
 * `net.Server` makes its sockets itself and takes no `onread`, so an accepted connection changes hands: its handle goes
 * to a socket that has one. Where a socket has no handle to give (it is closed already), it stays as it is.
 */
import { Socket, type SocketConstructorOpts } from "node:net";

/** Valid during the call only. */
export type TakeBytes = (bytes: Buffer) => void;

/** Until someone takes its bytes directly, it is a stream like any other, whose data are copies. */
export class DirectSocket extends Socket {
  sink: TakeBytes | null = null;

  constructor(handle: object, room: Buffer) {
    let push: (bytes: Buffer) => boolean = () => true;
    const options = {
      handle,
      onread: { buffer: room, callback: (count: number) => push(room.subarray(0, count)) },
    };
    super(options as SocketConstructorOpts); // the handle is one of net's own, which the types do not name
    push = (bytes) => {
      if (this.sink === null) return this.push(Buffer.from(bytes));
      this.sink(bytes);
      return true;
    };
  }
}

/** Of a server with `pauseOnConnect`, for which nothing was read yet. */
export function direct(accepted: Socket, room: Buffer): Socket {
  const owner = accepted as { _handle?: object | null }; // the field that node:net keeps it in
  const handle = owner._handle ?? null;
  if (handle === null) return accepted;
  owner._handle = null;
  const socket = new DirectSocket(handle, room);
  // The server counts the socket that it made.
  socket.once("close", () => accepted.destroy());
  return socket;
}
