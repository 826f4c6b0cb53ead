/**
 * A request as a matter of the pipeline, and its act: send it to the destination and stream the reply back, with
 * back-pressure, keeping a copy as evidence. What was received is what is sent: only hop-by-hop fields differ, and Host
 * where the request came by base URL or another server stands in (it then names that server, as virtual hosts need it).
 */
import { asFault, Fault } from "../core/index.ts";
import type { RestorerOptions } from "../inspect/index.ts";
import { AWS_CHUNKED, isAwsChunked, unchunkedAws } from "./aws-chunked.ts";
import { codingsOf, redoCodings, undoCodings } from "./coding.ts";
import { converse } from "./conversation.ts";
import type { Custody } from "./custody.ts";
import { detour, withOwnHead } from "./detour.ts";
import type { Destination } from "./dial.ts";
import type { Inbound, Outbound, Peer, Reply, Sending, Sink } from "./exchange.ts";
import { endToEnd, headerOf, headText, type RawHeaders, type ReplyHead } from "./head.ts";
import type { Judgement } from "./judge.ts";
import type { About, Matter, Outcome } from "./matter.ts";
import { restoringOf, unredacted } from "./redact.ts";
import { refusalFor } from "./refuse.ts";
import type { Way } from "./reroute.ts";
import { Restoring } from "./restoring.ts";
import { Capture } from "./room.ts";
import { Screening, screeningRules, type Withheld } from "./screening.ts";
import type { Rooms, Sitting } from "./session.ts";
import { hostText } from "./target.ts";
import { translating } from "./translating.ts";

export function requestMatter(came: Inbound, reply: Reply, sitting: Sitting, rooms: Rooms): Matter {
  /** What leaves: what came, until it is redacted. */
  let inbound = came;
  let way: Way | null = null;
  let judgement: Judgement | null = null;
  let peer: Peer | Promise<Peer> | null = null;
  const told = (): About => {
    const { protocol, method, bodyBytes } = inbound;
    return { door: came.door, protocol, method, target: came.target, way, bytes: bodyBytes };
  };
  /** Asked for many times; made anew where what leaves has changed. */
  let about = told();
  return {
    get about() {
      return about;
    },
    get evidence() {
      const { head, trailers, body, bodyBytes } = inbound;
      return [
        {
          role: "request-head" as const,
          chunks: trailers.length === 0 ? [head] : [head, trailerText(trailers)],
        },
        ...(bodyBytes > 0 ? [{ role: "request-body" as const, chunks: body }] : []),
      ];
    },
    content: async () => {
      const content = await contentOf(inbound, rooms);
      sitting.custody.check(
        inbound.target.host,
        inbound.target.path,
        [...inbound.headers, ...inbound.trailers],
        content,
      );
      return content;
    },
    decode: (decoder, body) => {
      const { method, target } = inbound;
      // Trailers leave like headers, so they are read like headers.
      const headers = [...inbound.headers, ...inbound.trailers];
      return decoder.decode({ method, host: target.host, path: target.path, headers, body });
    },
    replace: async (content) => {
      inbound = await withBody(inbound, content);
      if (way !== null) inbound = withOwnHead(inbound);
      about = told();
    },
    reroute: async (other, content, decoded) => {
      const gone = detour(inbound, other, content, decoded);
      inbound = withOwnHead(await withBody(gone.inbound, gone.content));
      way = gone.way;
      about = told();
      return gone.content;
    },
    onGone: (callback) => reply.onGone(callback),
    prepare: (judged) => {
      judgement = judged;
      peer = sitting.peers.take(destinationOf(inbound, judged, way, sitting), inbound.protocol === "h2");
      // Awaited in `act`; a failure before that is not unhandled.
      if (peer instanceof Promise) peer.catch(() => {});
    },
    refuse: (fault, judged) => {
      if (peer instanceof Promise) peer.then((ready) => ready.release()).catch(() => {});
      else peer?.release();
      const refusal = refusalFor(judged.dialect, fault, sitting.rules.language);
      // Agents that begin with a WebSocket go on over HTTP, where it can be rerouted, when they are told so (measured: Codex).
      const isSwitch = came.upgrades && fault.code === "gateway.unroutable";
      reply.refuse(isSwitch ? { ...refusal, status: 426 } : refusal);
    },
    act: async () => {
      if (judgement === null || peer === null)
        throw new Fault("internal.bug", { detail: "acting without preparing" });
      const { dialect, standIn } = judgement;
      try {
        const ready = peer instanceof Promise ? await peer : peer;
        if (reply.isGone) {
          ready.release();
          return { kind: "failed", fault: new Fault("gateway.aborted"), mayHaveLeft: false };
        }
        const outbound = outboundFor(inbound, standIn, sitting.custody);
        const restores = restoringOf(judgement, { target: came.target, way }, sitting);
        const { session, rules } = sitting;
        const screens = screeningRules(about, judgement, session, rules.now());
        const answering = way?.translates === true ? translating(reply, way.model) : reply;
        const relay = new Relay(ready, answering, sitting, rooms, { restores, screens }, (fault) =>
          refusalFor(dialect, fault, rules.language),
        );
        const outcome = await relay.run(outbound, inbound);
        // Only where all went well: after anything else someone may still be at the body.
        if (outcome.kind === "answered" && outcome.isComplete && relay.hasSent) came.recycle?.();
        return outcome;
      } catch (error) {
        const fault = asFault(error);
        reply.refuse(refusalFor(dialect, fault, sitting.rules.language));
        return { kind: "failed", fault, mayHaveLeft: false };
      }
    },
  };
}

async function contentOf(inbound: Inbound, rooms: Rooms): Promise<Buffer> {
  const [only] = inbound.body;
  const bytes =
    inbound.body.length === 1 && only !== undefined ? only : Buffer.concat(inbound.body, inbound.bodyBytes);
  const named = codingsOf(inbound.headers);
  const isChunked = isAwsChunked(inbound.headers, named);
  // The chunks are outermost, wherever their name stands in the list.
  const codings = isChunked ? named.filter((name) => name !== AWS_CHUNKED) : named;
  const framed = isChunked ? unchunkedAws(bytes) : bytes;
  const content =
    framed === null || codings.length === 0 ? framed : await undoCodings(framed, codings, rooms.limits);
  if (content === null)
    throw new Fault("gateway.unreadable", {
      detail: `content-encoding \`${(framed === null ? [AWS_CHUNKED] : codings).join(", ").slice(0, 60)}\``,
    });
  return content;
}

/** The request with another body, coded as its own was; its length field says the new length, all else stays. */
async function withBody(inbound: Inbound, content: Buffer): Promise<Inbound> {
  if (isSigned(inbound.headers)) throw unredacted("the request is signed over its body");
  const codings = codingsOf(inbound.headers);
  const first = inbound.body.find((piece) => piece.length > 0) ?? content;
  const body = await redoCodings(content, codings, first);
  if (body === null)
    throw unredacted(`the body cannot be coded again: \`${codings.join(", ").slice(0, 60)}\``);
  const headers = inbound.headers.map(([name, value]): RawHeaders[number] => [
    name,
    name.toLowerCase() === "content-length" ? String(body.length) : value,
  ]);
  const framing: Inbound["framing"] =
    inbound.framing.kind === "length" ? { kind: "length", length: body.length } : inbound.framing;
  return { ...inbound, headers, framing, body: [body], bodyBytes: body.length };
}

/** Fields that hold a digest of the body. */
const DIGEST =
  /^(?:content-md5|content-digest|digest|repr-digest|x-amz-content-sha256|x-amz-checksum-.*|x-goog-hash)$/i;
/**
 * Cloud signatures, whose schemes cover the body or its length: Amazon (SigV4, SigV4A), Google, Alibaba Cloud, Tencent
 * Cloud, Volcengine.
 */
const SIGNATURE = /^(?:(?:AWS4|GOOG4|ACS3|TC3)-|HMAC-SHA256\b)/i;
const isSigned = (headers: RawHeaders): boolean =>
  headers.some(([name, value]) => DIGEST.test(name) && value !== "UNSIGNED-PAYLOAD") ||
  SIGNATURE.test(headerOf(headers, "authorization") ?? "");

function destinationOf(
  inbound: Inbound,
  { standIn }: Judgement,
  way: Way | null,
  sitting: Sitting,
): Destination {
  const { scheme, host, port } = inbound.target;
  if (way !== null) return { scheme, host, port, privateAddresses: true, standsIn: true };
  if (standIn === null) {
    const { privateAddresses } = sitting.rules.now().connection(host, port);
    return { scheme, host, port, privateAddresses, standsIn: false };
  }
  const isHttps = standIn.protocol === "https:";
  return {
    scheme: isHttps ? "https" : "http",
    host: standIn.hostname.replace(/^\[|\]$/g, ""),
    port: standIn.port === "" ? (isHttps ? 443 : 80) : Number(standIn.port),
    privateAddresses: true,
    standsIn: true,
  };
}

function outboundFor(inbound: Inbound, standIn: URL | null, custody: Custody): Outbound {
  const { method, target, framing, body, bodyBytes, trailers, upgrades, protocol } = inbound;
  const kept: RawHeaders = upgrades
    ? inbound.headers.filter(([name]) => !/^proxy-/i.test(name))
    : endToEnd(inbound.headers);
  const hostAt = kept.findIndex(([name]) => name.length === 4 && name.toLowerCase() === "host");
  const [hostName = "Host", hostValue = hostText(target)] = kept[hostAt] ?? [];
  const authority = standIn !== null ? standIn.host : inbound.door === "base" ? hostText(target) : hostValue;
  const host = standIn === null ? target.host : standIn.hostname.replace(/^\[|\]$/g, "");
  const path = standIn === null ? target.path : standIn.pathname.replace(/\/$/, "") + target.path;
  const swapped = custody.swap(host, path, hostAt < 0 ? kept : kept.filter((_, i) => i !== hostAt));
  return {
    method,
    path: swapped.path,
    scheme: standIn !== null ? (standIn.protocol === "https:" ? "https" : "http") : target.scheme,
    authority,
    headers: swapped.headers,
    hostAt: Math.max(0, hostAt),
    hostName,
    framing,
    body,
    bodyBytes,
    trailers,
    upgrades,
    isFromH2: protocol === "h2",
  };
}

/** Trailers as lines, behind the head in the evidence. */
const trailerText = (trailers: RawHeaders): Buffer => Buffer.from(headText("", trailers).slice(2), "latin1");

/** One reply on its way back. Ends with one outcome. */
class Relay implements Sink {
  readonly #peer: Peer;
  readonly #reply: Reply;
  readonly #sitting: Sitting;
  readonly #rooms: Rooms;
  readonly #restores: RestorerOptions | null;
  #restoring: Restoring | null = null;
  /** Rules under which the reply is read before the agent has it. */
  readonly #screens: readonly string[];
  #screening: Screening | null = null;
  /** What is read is read in its order. */
  #screened: Promise<void> = Promise.resolve();
  #withheld: Withheld | null = null;
  readonly #refusalFor: (fault: Fault) => ReturnType<typeof refusalFor>;
  readonly #capture: Capture;
  #head: ReplyHead | null = null;
  #inbound: Inbound | null = null;
  #sending: Sending | null = null;
  #resolve: (outcome: Outcome | Promise<Outcome>) => void = () => {};
  #isOver = false;
  #trailers: RawHeaders = [];

  constructor(
    peer: Peer,
    reply: Reply,
    sitting: Sitting,
    rooms: Rooms,
    changes: { readonly restores: RestorerOptions | null; readonly screens: readonly string[] },
    toRefusal: (fault: Fault) => ReturnType<typeof refusalFor>,
  ) {
    this.#peer = peer;
    this.#reply = reply;
    this.#sitting = sitting;
    this.#rooms = rooms;
    this.#restores = changes.restores;
    this.#screens = changes.screens;
    this.#refusalFor = toRefusal;
    this.#capture = new Capture(rooms.captured, rooms.limits.capturedReplyBytes);
  }

  get hasSent(): boolean {
    return this.#sending?.hasSent === true;
  }

  run(outbound: Outbound, inbound: Inbound): Promise<Outcome> {
    this.#inbound = inbound;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#sending = this.#peer.send(outbound, this);
      this.#reply.onGone(() => this.#agentLeft());
    });
  }

  informational(head: ReplyHead): void {
    // The agent has had its 100 from the gateway, which needed the body first.
    if (head.status !== 100) this.#reply.informational(head);
  }

  head(head: ReplyHead): void {
    this.#head = head;
    const options = this.#restores;
    if (options !== null) {
      const { vault } = this.#sitting;
      this.#restoring = Restoring.of(head, (type) => vault.restorer(type, options), this.#reply, {
        resume: () => this.#sending?.resume(),
        broken: () => this.#broke(),
      });
    }
    if (this.#screens.length > 0 && head.framing.kind !== "none") {
      this.#screening = new Screening(head, this.#reply, this.#sitting.reader, this.#rooms.limits);
      return;
    }
    this.#reply.head(this.#restoring?.head ?? head);
  }

  data(wire: Buffer, content: readonly Buffer[]): boolean {
    for (const piece of content) this.#capture.add(piece);
    if (this.#screening !== null) {
      // Nothing more is taken while this is read.
      void this.#screen((screening) => screening.push(wire, content)).then(() => this.#sending?.resume());
      return false;
    }
    if (this.#restoring !== null) return this.#isOver || this.#restoring.push(content);
    if (this.#reply.data(wire, content)) return true;
    this.#reply.onDrain(() => this.#sending?.resume());
    return false;
  }

  flush(): void {
    this.#reply.flush();
  }

  end(trailers: RawHeaders): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#trailers = trailers;
    const done = (): void => {
      this.#reply.end(trailers);
      this.#resolve(this.#answered(true));
    };
    if (this.#screening !== null)
      void this.#screen((screening) => screening.end()).then(() => {
        if (this.#withheld === null) done();
        else this.#resolve(this.#answered(true));
      });
    else if (this.#restoring === null) done();
    else this.#restoring.end(trailers, done);
  }

  /** Reads one more piece of the reply before the agent has it; what cannot be read is kept from it, too. */
  #screen(step: (screening: Screening) => ReturnType<Screening["end"]>): Promise<void> {
    this.#screened = this.#screened.then(async () => {
      const screening = this.#screening;
      if (screening === null || this.#withheld !== null || this.#reply.isGone) return;
      try {
        const findings = await step(screening);
        if (findings !== null) this.#withhold(findings, new Fault("gateway.reply-refused"));
      } catch (error) {
        this.#withhold([], asFault(error));
      }
    });
    return this.#screened;
  }

  #withhold(findings: Withheld["findings"], fault: Fault): void {
    this.#withheld = { findings, rules: [...this.#screens, fault.code] };
    if (this.#reply.isBegun) this.#reply.cut();
    else this.#reply.refuse(this.#refusalFor(fault));
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sending?.abort();
    this.#resolve(this.#answered(false));
  }

  /** The reply came, but its coding is damaged: what the agent has of it must not look whole. */
  #broke(): void {
    if (!this.#isOver) this.#sending?.abort();
    this.#isOver = true;
    this.#reply.cut();
    this.#resolve(this.#answered(false));
  }

  failed(fault: Fault): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#restoring?.close();
    if (this.#reply.isBegun) this.#reply.cut();
    else this.#reply.refuse(this.#refusalFor(fault));
    this.#resolve(this.#head === null ? { kind: "failed", fault, mayHaveLeft: true } : this.#answered(false));
  }

  switched(head: ReplyHead, socket: Parameters<Sink["switched"]>[1], early: Buffer): void {
    if (this.#isOver || this.#inbound === null) return void socket.destroy();
    this.#isOver = true;
    const peer = { socket, early, address: this.#peer.address, tlsPeer: this.#peer.tlsPeer };
    this.#resolve(
      converse(
        this.#inbound,
        head,
        this.#reply,
        peer,
        this.#capture,
        this.#restores,
        this.#sitting,
        this.#rooms,
      ),
    );
  }

  #agentLeft(): void {
    this.#restoring?.close();
    // All of it came, and only its restoring was under way.
    if (this.#isOver) {
      this.#resolve(this.#answered(false));
      return;
    }
    this.#isOver = true;
    // The destination must stop: a model call that nobody reads is billed all the same.
    this.#sending?.abort();
    this.#resolve(
      this.#head === null
        ? { kind: "failed", fault: new Fault("gateway.aborted"), mayHaveLeft: true }
        : this.#answered(false),
    );
  }

  #answered(isComplete: boolean): Outcome {
    const headers = this.#head?.headers ?? [];
    return {
      kind: "answered",
      status: this.#head?.status ?? 0,
      address: this.#peer.address,
      tlsPeer: this.#peer.tlsPeer,
      isComplete,
      head:
        this.#head === null || this.#trailers.length === 0
          ? (this.#head?.wire ?? null)
          : Buffer.concat([this.#head.wire, trailerText(this.#trailers)]),
      reply: this.#capture,
      role: "response-body",
      contentType: headerOf(headers, "content-type") ?? "",
      codings: codingsOf(headers),
      ...(this.#withheld === null ? {} : { withheld: this.#withheld }),
    };
  }
}
