/** The console: where a person looks. docs/console.md tells what it is and what guards it. */

export type { SavedReport } from "./agents.ts";
export type { Role } from "./api/me.ts";
export type { OpenApprovals } from "./approvals.ts";
export { type Console, type ConsoleOptions, openConsole } from "./console.ts";
export type { Desks } from "./desks.ts";
export type { OwnServer } from "./destinations.ts";
export type { PolicyFile } from "./policy.ts";
export { isRole, ROLES } from "./rights.ts";
export type { ConsoleEvent, MachineState, Neighbours, StationDesk, StationState } from "./rooms.ts";
