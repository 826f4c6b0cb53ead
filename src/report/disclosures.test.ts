import { describe, expect, it } from "vitest";
import { asSessionId, type EventBody, exchangeId, type LedgerEvent, type SessionId } from "../core/index.ts";
import { DisclosureFold } from "./disclosures.ts";

const idOf = (n: number): SessionId => asSessionId(n.toString(16).padStart(8, "0")) as SessionId;
const [ONE, TWO] = [idOf(1), idOf(2)];

type Traced = Extract<EventBody, { kind: "exchange.traced" }>;
/** Only what the fold reads of them. */
const started = (session: SessionId, workspace = "shop") => ({ kind: "session.started", session, workspace });
const judged = (session: SessionId, n: number, verdict = "allow", requestBytes = 10) => ({
  ...{ kind: "exchange.judged", session, exchange: exchangeId(session, n), verdict, requestBytes },
});
const traced = (session: SessionId, n: number, files: Traced["files"], sentTo = "https://a.example") => ({
  ...{ kind: "exchange.traced", session, exchange: exchangeId(session, n), host: "a.example", sentTo, files },
  ...{ bytes: 100, unmatchedBytes: 40 },
});
const file = (path: string, lines: [number, number][], sha256 = "v1", of = 20): Traced["files"][number] => ({
  ...{ path, lines, of, sha256, bytes: 1 },
});
function fold(events: readonly object[], choice = {}): ReturnType<DisclosureFold["result"]> {
  const made = new DisclosureFold(choice);
  for (const [at, event] of events.entries()) made.add({ v: 1, at, ...event } as LedgerEvent);
  return made.result();
}

describe("what left of a workspace", () => {
  it("lines are united over requests and sessions, and told for each recipient apart", () => {
    const [shop] = fold([
      started(ONE),
      {
        kind: "workspace.measured",
        session: ONE,
        workspace: "shop",
        commit: null,
        files: 3,
        lines: 90,
        bytes: 9,
        notRead: 0,
        folders: [],
      },
      judged(ONE, 1),
      traced(ONE, 1, [
        file("a.ts", [
          [1, 5],
          [9, 9],
        ]),
      ]),
      started(TWO),
      judged(TWO, 1),
      traced(TWO, 1, [file("a.ts", [[4, 8]]), file("b.ts", [[2, 3]])], "https://b.example"),
    ]);
    expect(shop).toMatchObject({
      ...{ workspace: "shop", sessions: 2, requests: 2, bytes: 200, unmatchedBytes: 80, lines: 11 },
      measured: { files: 3, lines: 90 },
      notCompared: [],
    });
    expect(
      shop?.files.map(({ path, lines, to }) => [path, lines, to.map((one) => [one.sentTo, one.lines])]),
    ).toEqual([
      [
        "a.ts",
        [[1, 9]],
        [
          [
            "https://a.example",
            [
              [1, 5],
              [9, 9],
            ],
          ],
          ["https://b.example", [[4, 8]]],
        ],
      ],
      ["b.ts", [[2, 3]], [["https://b.example", [[2, 3]]]]],
    ]);
  });

  it("lines of two versions are not added up", () => {
    const [shop] = fold([
      started(ONE),
      traced(ONE, 1, [file("a.ts", [[1, 10]], "old")]),
      traced(ONE, 2, [file("a.ts", [[15, 18]], "new")]),
    ]);
    expect(shop?.files).toMatchObject([{ lines: [[1, 10]], count: 10, sha256: "old", versions: 2 }]);
  });

  it("what left and was not compared is told; what was refused, or stayed here after all, is not", () => {
    const [shop] = fold([
      started(ONE),
      judged(ONE, 1),
      traced(ONE, 1, []),
      judged(ONE, 2, "deny"),
      judged(ONE, 3),
      { kind: "exchange.failed", session: ONE, exchange: exchangeId(ONE, 3), mayHaveLeft: false },
      judged(ONE, 4, "allow", 0),
      judged(ONE, 5, "redact"),
      { kind: "exchange.failed", session: ONE, exchange: exchangeId(ONE, 5), mayHaveLeft: true },
      { kind: "session.ended", session: ONE },
    ]);
    expect(shop?.notCompared).toEqual([{ session: ONE, requests: 1, isOver: true }]);
  });

  it("one workspace, or one session, can be asked for", () => {
    const events = [started(ONE), traced(ONE, 1, [file("a.ts", [[1, 2]])]), started(TWO, "bank")];
    expect(fold(events, { workspace: "bank" }).map(({ workspace }) => workspace)).toEqual(["bank"]);
    expect(fold(events, { session: ONE }).map(({ lines }) => lines)).toEqual([2]);
  });
});
