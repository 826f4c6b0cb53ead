/** The thread that publishes for a busy ledger (tailer.ts). It answers each position with what came of it. */
import { parentPort, workerData } from "node:worker_threads";
import { asFault } from "../core/index.ts";
import { Publisher } from "./publish.ts";
import type { Position } from "./segment.ts";
import { type Answer, publisherOptions, type TailerSource } from "./tailer.ts";

const source = workerData as TailerSource; // the only starter is tailer.ts
const monotonic = (): number => performance.now();
let publisher: Publisher | null = null;

async function answer(limit: Position): Promise<Answer> {
  try {
    publisher ??= Publisher.restore({ ...publisherOptions(source, null, monotonic), blocking: true });
    await publisher.advance(limit);
    const note = await publisher.publish();
    return { note, signed: publisher.signed };
  } catch (error) {
    publisher = null; // begin again from the last checkpoint
    const { code, detail, at } = asFault(error);
    return { code, detail, at };
  }
}

parentPort?.on("message", (limit: Position) => {
  void answer(limit).then((a) => parentPort?.postMessage(a));
});
