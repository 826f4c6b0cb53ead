/** Stands in for every model server of the demonstration, on loopback: gives the recorded reply that is due. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RecordedReply } from "./recording.ts";

export interface ReplayServer {
  readonly url: string;
  /** What the next request gets. `before` is awaited first. */
  due(reply: RecordedReply, before: () => void): void;
  close(): Promise<void>;
}

const NOTHING_DUE: RecordedReply = {
  status: 404,
  headers: ["content-type: text/plain"],
  body: "nothing was recorded\n",
};

/** `port`: 0 for any. */
export async function startReplayServer(): Promise<ReplayServer> {
  let next: { readonly reply: RecordedReply; readonly before: () => void } | null = null;
  const server: Server = createServer((request, response) => {
    request.resume().once("end", () => {
      const { reply, before } = next ?? { reply: NOTHING_DUE, before: () => undefined };
      before();
      for (const line of reply.headers) {
        const colon = line.indexOf(":");
        if (colon > 0) response.appendHeader(line.slice(0, colon), line.slice(colon + 1).trim());
      }
      response.writeHead(reply.status).end(reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Listening on a port, it has an address and a port.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    due: (reply, before) => {
      next = { reply, before };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
