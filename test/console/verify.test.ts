// `Verify now`, in the browser, over the real ledger of a station that runs: it holds, goes on holding, and does not when the
// published files were changed.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Place } from "../harness.ts";
import { writeHostileLedger } from "./hostile-ledger.ts";
import { ConsoleRig, openBrowser } from "./rig.ts";

let rig: ConsoleRig;
beforeAll(async () => {
  const place = new Place();
  await writeHostileLedger(place.state, Date.now());
  rig = new ConsoleRig(place, await openBrowser());
});
afterAll(() => rig.close());

it("holds, is kept in mind, and an altered entry is found", async () => {
  const page = await rig.look("/ledger");
  const verify = async (): Promise<string> => {
    await page.getByRole("button", { name: "Verify now" }).click();
    await page.locator(".steps").waitFor();
    await page.getByRole("button", { name: "Verify now" }).waitFor();
    return page.locator("main").innerText();
  };
  const first = await verify();
  expect(first).toContain("The ledger holds");
  expect(first).toContain("First time: kept in mind from now on.");
  const second = await verify();
  expect(second).toContain("The ledger holds");
  expect(second).not.toContain("First time");

  const bundles = join(rig.place.state, "ledger/tile/entries");
  const [name] = readdirSync(bundles, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
    .sort()
    .reverse();
  if (name === undefined) throw new Error("no bundle of entries");
  const bytes = readFileSync(name);
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  writeFileSync(name, bytes);
  const third = await verify();
  expect(third).toContain("The ledger does not hold");
  expect(third).toMatch(/entry \d+ is altered/);
  await page.close();
});
