// Four eyes: a link to the console is made at the account that asks, and a name on it must not answer the account's question.
import { expect, it } from "vitest";
import type { GivenAnswer, OpenQuestion } from "../gateway/index.ts";
import { approvalDesk } from "./approval-desk.ts";
import type { Places } from "./places.ts";
import type { House } from "./wire.ts";

const answers: GivenAnswer[] = [];
function houseWith(question: Pick<OpenQuestion, "id" | "requester" | "self">): House {
  const approvals = {
    list: () => [question],
    answer: async (_id: string, given: GivenAnswer) => {
      answers.push(given);
      return question;
    },
  };
  return { gateway: { approvals } } as unknown as House; // of the house only this is asked
}
const answer = (verdict: "allow" | "deny", by: string, self: boolean): Promise<unknown> =>
  approvalDesk(
    { do: "answer", id: "q-1", verdict, scope: "once", forMs: null, reason: "" },
    houseWith({ id: "q-1", requester: "local:1000", self }),
    {} as Places, // not asked
    by,
  );

it.each(["local:1000", "local:1000/bob", "local:1000/local:1001"])(
  "%s does not answer for local:1000",
  async (by) => {
    answers.length = 0;
    await expect(answer("allow", by, false)).rejects.toMatchObject({ code: "approval.refused" });
    expect(answers).toEqual([]);
  },
);

it.each([
  ["another account says yes", "allow", "local:1001/ada", false],
  ["the one who asked takes it back", "deny", "local:1000/bob", false],
  ["the one who asked, where policy lets", "allow", "local:1000/bob", true],
] as const)("%s", async (_title, verdict, by, self) => {
  answers.length = 0;
  await answer(verdict, by, self);
  expect(answers).toEqual([expect.objectContaining({ verdict, by })]);
});
