/** The thread that takes snapshots (snapshots.ts). It remembers the newest state of the workspace it saw last. */
import { parentPort, workerData } from "node:worker_threads";
import { asFault, type SessionId } from "../core/index.ts";
import { heldOf } from "./decide.ts";
import { type Finished, finishHold } from "./finish.ts";
import { readHold, removeHold } from "./hold.ts";
import { changesIn } from "./review.ts";
import type { SnapshotAnswer, SnapshotOptions, SnapshotQuestion } from "./snapshots.ts";
import { SnapshotStore } from "./store.ts";
import { differences } from "./tree.ts";

const { root, except, holds } = workerData as SnapshotOptions; // the only starter is snapshots.ts
let last: { readonly workspace: string; readonly store: SnapshotStore } | null = null;

function storeOf(workspace: string): SnapshotStore {
  if (last?.workspace !== workspace) last = { workspace, store: new SnapshotStore(root, workspace) };
  return last.store;
}

/** Where nothing has changed nobody is asked to look. */
function finishAll(session: SessionId, isGone: boolean): Finished | null {
  const finished = finishHold(holds, session, isGone);
  const hold = finished?.isWaiting === true ? readHold(holds, session) : null;
  if (finished === null || hold === null || changesIn(holds, hold).length + heldOf(holds, hold).length > 0)
    return finished;
  removeHold(holds, session);
  return { ...finished, isWaiting: false };
}

function answer(question: SnapshotQuestion): SnapshotAnswer {
  if (question.do === "finish") return { finished: finishAll(question.session, question.isGone) };
  if (question.do === "begin") {
    const { workspace, session, isRecorded, now } = question;
    const store = storeOf(workspace);
    const { id, notKept } = store.take(except, now);
    store.remember(session, { workspace, before: id, after: null, isRecorded, undone: null });
    return { notKept, changed: null };
  }
  const begun = SnapshotStore.find(root, question.session);
  if (begun === null) return { failed: "it has no beginning" };
  const store = storeOf(begun.workspace);
  const { id, tree, notKept } = store.take(except, question.now);
  store.remember(question.session, { ...begun, after: id });
  store.prune();
  return { notKept, changed: id === begun.before ? 0 : differences(store.tree(begun.before), tree).length };
}

parentPort?.on("message", (question: SnapshotQuestion) => {
  let told: SnapshotAnswer;
  try {
    told = answer(question);
  } catch (error) {
    told = { failed: asFault(error).message };
  }
  parentPort?.postMessage(told);
});
