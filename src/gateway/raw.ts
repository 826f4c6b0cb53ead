/**
 * SSH, passed on as it comes: what it carries is encrypted end to end, so nothing of it is read, and the record says so.
 * Only where a network rule names that port (`limits.sshPort`) of the host; the rules about content judge it once, before the first byte, as
 * if it held internal code, as what is not read may be anything that the workspace holds.
 *
 * The opening is durable before a byte leaves, the end after the last one; both tell how much, never what.
 */
import type { Duplex } from "node:stream";
import { asFault, Fault } from "../core/index.ts";
import { decide, type Point } from "../policy/index.ts";
import type { Authority } from "./authority.ts";
import type { Dialler } from "./dial.ts";
import { nextExchange, type Rooms, type Sitting } from "./session.ts";

/** RFC 4253 4.2: what each side sends first. */
const SSH_GREETING = Buffer.from("SSH-");

export const isSsh = (first: Uint8Array): boolean =>
  Buffer.compare(first.subarray(0, SSH_GREETING.length), SSH_GREETING) === 0;

/** Resolves when the tunnel is over and that is recorded. Throws, before a byte has left, what refuses it. */
export async function passRaw(
  inside: Duplex,
  first: Buffer,
  { host, port }: Authority,
  {
    sitting,
    dialler,
    rooms,
  }: { readonly sitting: Sitting; readonly dialler: Dialler; readonly rooms: Rooms },
): Promise<void> {
  const { session } = sitting;
  const standing = sitting.rules.now();
  const labels = session.label(host, port, "");
  const about: Omit<Point, "operatorLaw"> = {
    ...{ agent: session.agent, build: session.build ?? "unknown", host, port },
    ...{ serverIn: labels.serverIn, trains: labels.trains, dpa: labels.dpa, repo: session.repo ?? "unknown" },
    // The register's own words, which policy reads alike everywhere.
    channel: labels.channel as Point["channel"],
    ...{ data: "internal_code", model: "unknown" },
  };
  const others = (labels.otherLaws ?? []).map((operatorLaw): Point => ({ ...about, operatorLaw }));
  const decision = decide(standing.policy, { ...about, operatorLaw: labels.operatorLaw }, ...others);
  // Nobody can be asked, and nothing replaced, about what cannot be read.
  if (decision.verdict !== "allow")
    throw new Fault("gateway.refused", { at: `${host}:${port}`, detail: "what SSH carries cannot be read" });
  const exchange = nextExchange(sitting);
  const { privateAddresses } = standing.connection(host, port);
  const startedAt = rooms.clock.monotonic();
  await rooms.append({
    ...{ kind: "tunnel.opened", session: session.id, exchange, host, port, protocol: "ssh" },
    ...{ destination: labels.destination, rules: decision.rules.map(({ id }) => id) },
  });
  const counts = { sentBytes: 0, receivedBytes: 0 };
  let address: string | null = null;
  let fault: Fault | null = null;
  try {
    const dialled = await dialler.dial({ scheme: "http", host, port, privateAddresses, standsIn: false }, [
      "http/1.1",
    ]);
    address = dialled.address;
    await joined(inside, dialled.socket, first, counts);
  } catch (thrown) {
    fault = asFault(thrown);
    inside.destroy();
  }
  await rooms.append({
    ...{ kind: "tunnel.closed", session: session.id, exchange, address, ...counts },
    ...{ fault: fault?.code ?? null, durationMs: Math.round(rooms.clock.monotonic() - startedAt) },
  });
}

/** Both ways until both have ended, or either broke. */
async function joined(
  inside: Duplex,
  outside: Duplex,
  first: Buffer,
  counts: { sentBytes: number; receivedBytes: number },
): Promise<void> {
  counts.sentBytes += first.length;
  outside.write(first);
  inside.on("data", (chunk: Buffer) => {
    counts.sentBytes += chunk.length;
  });
  outside.on("data", (chunk: Buffer) => {
    counts.receivedBytes += chunk.length;
  });
  const over = (one: Duplex, other: Duplex): Promise<void> =>
    new Promise((resolve) => {
      one.on("error", () => {}); // `close` follows
      one.once("close", () => {
        other.destroy();
        resolve();
      });
    });
  const both = [over(inside, outside), over(outside, inside)];
  inside.pipe(outside);
  outside.pipe(inside);
  inside.resume();
  await Promise.all(both);
}
