/** The thread that brings a query index up to its ledger, for whoever answers questions meanwhile (index-apart.ts). */
import { parentPort, workerData } from "node:worker_threads";
import { asFault } from "../core/index.ts";
import type { IndexAnswer, IndexTask } from "./index-apart.ts";
import { openQueryIndex } from "./query-index.ts";

const { file, directory } = workerData as IndexTask; // the only starter is index-apart.ts
const say = (answer: IndexAnswer): void => parentPort?.postMessage(answer);
try {
  const index = await openQueryIndex(file, directory);
  try {
    await index.catchUp((entries) => say({ entries }));
  } finally {
    index.close();
  }
} catch (error) {
  const { code, detail, at } = asFault(error);
  say({
    code,
    context: { ...(detail === undefined ? {} : { detail }), ...(at === undefined ? {} : { at }) },
  });
}
