/** The demonstration's past: which recorded session ran when, where, for whom and under which profile. */
import { TASKS } from "./tasks.ts";

export interface Day {
  /** Of {@link TASKS}. */
  readonly recording: number;
  /** Days before the demonstration begins, and the hour of the day (UTC). */
  readonly daysAgo: number;
  readonly hour: number;
  readonly workspace: string;
  readonly principal: string;
  readonly profile: "default" | "careful" | "restricted";
  /** What people answer when policy asks. */
  readonly answers: "allow" | "deny" | "nobody";
}

/** The folders by the project they are a copy of. */
const WORKSPACES: Readonly<Record<string, readonly string[]>> = {
  "billing-api": ["billing-api", "payments"],
  till: ["till", "shop-pos"],
  firmware: ["door-firmware"],
};
const PEOPLE = ["local:1001", "local:1002", "local:1003", "local:1004"];
const DAYS = 20;

/** The same each time: a demonstration that differs from its screenshots is none. */
export function days(): readonly Day[] {
  const all: Day[] = [];
  let n = 0;
  for (let daysAgo = DAYS; daysAgo >= 0; daysAgo--) {
    const isWeekend = (DAYS - daysAgo) % 7 >= 5;
    const count = isWeekend ? 0 : 1 + ((daysAgo * 5) % 3);
    for (let i = 0; i < count; i++) {
      const recording = n % TASKS.length;
      const names = WORKSPACES[TASKS[recording]?.project ?? ""] ?? ["till"];
      const workspace = names[Math.floor(n / TASKS.length) % names.length] ?? "till";
      const isBilling = workspace === "payments";
      all.push({
        ...{ recording, daysAgo, workspace },
        hour: 7 + ((n * 5) % 9),
        principal: PEOPLE[(n * 3 + recording) % PEOPLE.length] ?? "local:1001",
        profile: isBilling
          ? "careful"
          : workspace === "door-firmware" && n % 4 === 0
            ? "restricted"
            : "default",
        answers: n % 21 === 0 ? "nobody" : n % 3 === 0 ? "deny" : "allow",
      });
      n++;
    }
  }
  return all;
}
