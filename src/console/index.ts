/** The console: where a person looks. docs/console.md tells what it is and what guards it. */
export type { Role } from "./api/me.ts";
export { type Console, type ConsoleOptions, openConsole } from "./console.ts";
export { isRole, ROLES } from "./rights.ts";
export type { ConsoleEvent, MachineState, Neighbours, StationDesk, StationState } from "./rooms.ts";
