export { beginHold, type Finished, finishHold } from "./finish.ts";
export { type Hold, listHolds, readHold } from "./hold.ts";
export { planRestore, type Restored, restore, type Step } from "./restore.ts";
export { type SnapshotAnswer, Snapshots } from "./snapshots.ts";
export { type SessionSnapshots, SnapshotStore, type Taken } from "./store.ts";
export { isGitShaped } from "./sweep.ts";
export { type TracedText, type TraceOf, Traces } from "./traces.ts";
export { bytesOf, isSame, shown, type Tree } from "./tree.ts";
