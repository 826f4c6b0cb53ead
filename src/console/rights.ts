/**
 * Who may do what in the console: one table. A route names the right that it needs; nothing else is looked at. A link is made
 * with roles, and whoever signs in by it has those until the session is over: roles cannot be changed while it lasts.
 */
import type { Right, Role } from "./api/me.ts";

export const ROLES: Readonly<Record<Role, readonly Right[]>> = {
  viewer: ["look"],
  approver: ["look", "approve"],
  "policy-author": ["look", "write-policy"],
  "evidence-reader": ["look", "read-evidence"],
  // One value at a time, beside `evidence-reader`: alone it shows nothing, as the bytes round a value need the other.
  unmasker: ["look", "unmask"],
  auditor: ["look", "audit"],
  admin: ["look", "register", "administer"],
};

export const isRole = (word: string): word is Role => Object.hasOwn(ROLES, word);

/** The rights of all roles together, each once. */
export const rightsOf = (roles: readonly Role[]): ReadonlySet<Right> =>
  new Set(roles.flatMap((role) => ROLES[role]));
