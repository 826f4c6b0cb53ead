/** What the real agents were asked when their traffic was recorded, and what the scripted model answered them. */
import type { Plan } from "../../src/lab/index.ts";

export interface Task {
  readonly agent: string;
  /** Folder below demo/projects. */
  readonly project: string;
  readonly prompt: string;
  readonly plan: Plan;
}

const TILL: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "read", path: "total.sh" },
    { kind: "edit", path: "total.sh", before: 'sum=""', after: "sum=0" },
    { kind: "shell", command: "sh check.sh | tee check.log" },
  ],
  final: "The empty sum is 0 now, and check.sh passes.",
};

const BILLING: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "read", path: "src/invoice.mjs" },
    { kind: "read", path: "config/settings.ini" },
    { kind: "shell", command: "cat data/customers.csv" },
    {
      kind: "edit",
      path: "src/invoice.mjs",
      before: "  for (const line of lines) total += lineTotal(line) + taxOf(lineTotal(line));",
      after: "  for (const line of lines) total += lineTotal(line);",
    },
    { kind: "shell", command: "node src/check.mjs" },
  ],
  final:
    "The tax has to be taken of the sum; the sums are not right yet, as I left out the tax of the whole.",
};

const NOTIFY: Plan = {
  steps: [
    { kind: "read", path: "src/notify.mjs" },
    { kind: "read", path: "src/invoice.mjs" },
    { kind: "shell", command: "ls -l src" },
  ],
  final: "notify.mjs only makes the mail; nothing sends it yet.",
};

const FIRMWARE: Plan = {
  steps: [
    { kind: "read", path: "README.md" },
    { kind: "read", path: "src/lock.c" },
    { kind: "read", path: "src/lock.h" },
    {
      kind: "edit",
      path: "src/lock.c",
      before: "  wrong_in_a_row++;",
      after: "  if (++wrong_in_a_row >= 5) locked_until = now + 60;",
    },
    { kind: "shell", command: "grep -n locked_until src/lock.c" },
  ],
  final: "After five wrong codes in a row the keypad is locked for a minute.",
};

const billing = "Fix the known bug in the README: invoices are a cent off. Then run the check.";
const firmware = "Do what the README has to do, in src/lock.c.";

export const TASKS: readonly Task[] = [
  { agent: "claude", project: "billing-api", prompt: billing, plan: BILLING },
  {
    agent: "claude",
    project: "till",
    prompt: "Fix the known bug in total.sh, then run check.sh.",
    plan: TILL,
  },
  {
    agent: "codex",
    project: "billing-api",
    prompt: "Which code sends the mail with an invoice?",
    plan: NOTIFY,
  },
  { agent: "opencode", project: "firmware", prompt: firmware, plan: FIRMWARE },
  { agent: "qwen", project: "till", prompt: "Fix the known bug in total.sh, then run check.sh.", plan: TILL },
  { agent: "gemini", project: "firmware", prompt: firmware, plan: FIRMWARE },
  { agent: "copilot", project: "billing-api", prompt: billing, plan: BILLING },
];
