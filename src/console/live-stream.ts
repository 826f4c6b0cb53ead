/** Server-sent events: one stream for each page that listens; it ends with the signed-in session, or when the page goes. */
import { PassThrough, type Readable } from "node:stream";
import type { Ask, LiveRoute } from "./route.ts";
import type { SignedIn, SignIns } from "./sign-in.ts";

/** Something must pass now and then, or what lies between takes the connection for dead. */
const BEAT_MS = 20_000;
/** What a page that does not read may leave unread; then it is cut off, and its browser asks again. */
const MAX_UNREAD = 1 << 20;

export function liveStream(
  route: LiveRoute<never, never>,
  ask: Ask<never, never>,
  signIns: SignIns,
  session: SignedIn,
): Readable {
  const out = new PassThrough();
  const write = (text: string): void => {
    out.write(text);
    if (out.writableLength > MAX_UNREAD) out.destroy();
  };
  const tell = (event: { readonly what: string }): void =>
    write(`event: ${event.what}\ndata: ${JSON.stringify(event)}\n\n`);
  const stop = route.handle(ask, tell);
  const beat = setInterval(() => write(": \n\n"), BEAT_MS).unref();
  const forget = signIns.onEnd(session.user.id, () => {
    tell({ what: "signed-out" });
    out.end();
  });
  const end = (): void => {
    clearInterval(beat);
    forget();
    stop();
  };
  out.once("close", end);
  ask.signal.addEventListener("abort", () => out.destroy(), { once: true });
  write("retry: 2000\n\n");
  return out;
}
