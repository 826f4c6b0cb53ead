// Approving from the console: a name on a link proves nothing, a key does; and nothing takes effect that is not recorded.
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  webcrypto,
} from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { EventBody } from "../core/index.ts";
import {
  approvingKey,
  publicText,
  putStatement,
  type RegisterPlaces,
  readApprovals,
  type Statement,
  type Subject,
  standingOf,
  toSign,
} from "../register/index.ts";
import { localPrincipal } from "./places.ts";
import { ownApprover, type Prepared, type RegisterAction, registerDesk } from "./register-desk.ts";

const DAY = 86_400_000;
const NOW = Date.parse("2026-11-30T12:00:00Z");
const ACCOUNT = localPrincipal();
const SUBJECT: Subject = {
  kind: "build",
  agent: "claude",
  version: "2.1.329",
  platform: "linux-x64",
  hash: `h1:${Buffer.alloc(32, 7).toString("base64")}`,
  files: 3,
  executable: "a".repeat(64),
  native: true,
};

interface Rig {
  readonly places: RegisterPlaces;
  readonly events: EventBody[];
  now: number;
  isBroken: boolean;
  ask(action: RegisterAction, by?: string): ReturnType<typeof registerDesk>;
  standing(): string;
}
let rig: Rig;

const asked = (more: Partial<Extract<RegisterAction, { do: "sign" }>> = {}): RegisterAction => ({
  do: "sign",
  state: "approve",
  hash: SUBJECT.hash,
  name: null,
  reason: "read the report",
  days: 30,
  report: null,
  ...more,
});

/** Whose word counts, the machine's own key first. */
async function name(required: number, ...others: readonly { name: string; key: string }[]): Promise<void> {
  const own = publicText(await approvingKey(rig.places));
  mkdirSync(rig.places.own, { recursive: true });
  writeFileSync(
    join(rig.places.own, "approvers.yaml"),
    stringify({ version: 1, required, approvers: [{ name: "ada", key: own }, ...others] }),
  );
}

beforeEach(async () => {
  const home = mkdtempSync(join(tmpdir(), "register-desk-"));
  const places: RegisterPlaces = {
    system: join(home, "system"),
    own: join(home, "own"),
    keyFile: join(home, "keys", "approver.pem"),
    principal: ACCOUNT,
  };
  const made: Rig = {
    places,
    events: [],
    now: NOW,
    isBroken: false,
    ask: (action, by = ACCOUNT) =>
      registerDesk(
        action,
        by,
        {
          clock: { now: () => made.now, monotonic: () => 0 },
          registerPlaces: places,
          append: async (event) => {
            if (made.isBroken) throw new Error("the disk is full");
            made.events.push(event);
            return { index: made.events.length - 1 };
          },
        },
        { agents: join(home, "agents") },
      ),
    standing: () => {
      const { statements, required } = readApprovals(places);
      return standingOf(
        SUBJECT,
        statements.map(({ statement }) => statement),
        required,
        made.now,
      ).state;
    },
  };
  rig = made;
  // Somebody spoke of the build long ago, so that it is known.
  const key = await approvingKey(places);
  const old: Statement = {
    type: "sallyport/register/v1",
    action: "approve",
    subject: SUBJECT,
    by: ACCOUNT,
    at: NOW - 100 * DAY,
    reason: "then",
    expires: NOW - 10 * DAY,
    evidence: {},
  };
  await putStatement(places, old, key);
});

const statements = (): readonly string[] => readdirSync(join(rig.places.own, "statements"));

describe("with the key of this machine", () => {
  it("this account approves and revokes; each is on the record with whose word it is", async () => {
    await rig.ask(asked());
    expect(rig.standing()).toBe("approved");
    rig.now += 1000;
    await rig.ask(asked({ state: "revoke", reason: "it phones home" }));
    expect(rig.standing()).toBe("revoked");
    expect(rig.events).toEqual([
      expect.objectContaining({
        kind: "register.changed",
        action: "approved",
        by: ACCOUNT,
        principal: ACCOUNT,
      }),
      expect.objectContaining({ kind: "register.changed", action: "revoked", by: ACCOUNT, expires: null }),
    ]);
  });

  it("the person whom the list names for it may, signed in by that name", async () => {
    // What was signed in another name than the list gives would stop the whole register.
    for (const file of statements()) rmSync(join(rig.places.own, "statements", file));
    await name(1);
    expect(await ownApprover(`${ACCOUNT}/ada`, { registerPlaces: rig.places })).toBe("ada");
    expect(await ownApprover(`${ACCOUNT}/bob`, { registerPlaces: rig.places })).toBeNull();
    expect(await ownApprover("local:999999/ada", { registerPlaces: rig.places })).toBeNull();
  });

  it("a link in another's name does not sign with it, and nothing is recorded or written", async () => {
    const before = statements();
    await expect(rig.ask(asked(), `${ACCOUNT}/bob`)).rejects.toMatchObject({ code: "register.stranger" });
    expect(rig.events).toEqual([]);
    expect(statements()).toEqual(before);
  });

  it("a reason that could not be read back is refused before anything is recorded: it would stop the whole register", async () => {
    await expect(rig.ask(asked({ reason: "looked\u001b[31m" }))).rejects.toMatchObject({
      code: "register.invalid",
    });
    expect(rig.events).toEqual([]);
    expect(rig.standing()).toBe("expired");
  });

  it("what cannot be recorded does not take effect", async () => {
    rig.isBroken = true;
    const before = statements();
    await expect(rig.ask(asked())).rejects.toThrow("the disk is full");
    expect(statements()).toEqual(before);
    expect(rig.standing()).toBe("expired");
  });

  it.each([
    ["without a reason", { reason: "  " }],
    ["for ever", { days: 100_000 }],
    ["for no time", { days: 0 }],
    ["for half a day", { days: 0.5 }],
    ["for bytes that nobody knows", { hash: `h1:${Buffer.alloc(32, 9).toString("base64")}` }],
  ])("nothing is approved %s", async (_title, more) => {
    await expect(rig.ask(asked(more))).rejects.toMatchObject({ code: "usage.invalid" });
    expect(rig.events).toEqual([]);
  });
});

describe("with a key in the approver's own browser", () => {
  /** As a page does it: the key cannot be taken out. */
  async function browser(): Promise<{ readonly key: string; sign(prepared: Prepared): Promise<string> }> {
    const pair = await webcrypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    if (!("publicKey" in pair)) throw new Error("not a pair");
    const raw = Buffer.from(await webcrypto.subtle.exportKey("raw", pair.publicKey));
    const id = Buffer.from(await webcrypto.subtle.digest("SHA-256", raw))
      .toString("hex")
      .slice(0, 16);
    return {
      key: raw.toString("base64"),
      sign: async ({ payload, signed }) => {
        const sig = await webcrypto.subtle.sign("Ed25519", pair.privateKey, Buffer.from(signed, "base64"));
        return JSON.stringify({
          payloadType: "application/vnd.sallyport.register.v1+json",
          payload,
          signatures: [{ keyid: id, sig: Buffer.from(sig).toString("base64") }],
        });
      },
    };
  }
  const prepare = async (as: string): Promise<Prepared> => {
    const { do: _do, ...rest } = asked() as Extract<RegisterAction, { do: "sign" }>;
    return (await rig.ask({ do: "prepare", as, ...rest }, `${ACCOUNT}/bob`)) as Prepared;
  };
  /** The old approval is of a name that the list does not give: a fresh one of ada's makes the build known. */
  async function bothNamed(required: number, key: string): Promise<void> {
    for (const file of statements()) rmSync(join(rig.places.own, "statements", file));
    await name(required, { name: "bob", key });
    const machine = await approvingKey(rig.places);
    await putStatement(rig.places, statementBy("ada", NOW - DAY), machine);
  }
  const statementBy = (by: string, at: number): Statement => ({
    type: "sallyport/register/v1",
    action: "approve",
    subject: SUBJECT,
    by,
    at,
    reason: "looked",
    expires: at + 90 * DAY,
    evidence: {},
  });

  it("the second of two approvers is a second key: only then is the build approved", async () => {
    const bob = await browser();
    await bothNamed(2, bob.key);
    expect(rig.standing()).toBe("pending");
    await rig.ask(asked(), `${ACCOUNT}/ada`);
    expect(rig.standing()).toBe("pending");
    const stated = await rig.ask(
      { do: "submit", envelope: await bob.sign(await prepare("bob")) },
      `${ACCOUNT}/bob`,
    );
    expect(stated).toMatchObject({ by: "bob" });
    expect(rig.standing()).toBe("approved");
    expect(rig.events.at(-1)).toMatchObject({ by: "bob", principal: `${ACCOUNT}/bob` });
  });

  it("a key that nobody listed, and another's name, count for nothing", async () => {
    const [bob, mallory] = [await browser(), await browser()];
    await bothNamed(2, bob.key);
    const before = statements();
    await expect(
      rig.ask({ do: "submit", envelope: await mallory.sign(await prepare("bob")) }),
    ).rejects.toMatchObject({
      code: "register.stranger",
    });
    await expect(
      rig.ask({ do: "submit", envelope: await bob.sign(await prepare("ada")) }),
    ).rejects.toMatchObject({
      code: "register.invalid",
    });
    expect(rig.events).toEqual([]);
    expect(statements()).toEqual(before);
  });

  it("what was signed some time ago, or is there already, is not taken", async () => {
    const bob = await browser();
    await bothNamed(2, bob.key);
    const envelope = await bob.sign(await prepare("bob"));
    await rig.ask({ do: "submit", envelope });
    await expect(rig.ask({ do: "submit", envelope })).rejects.toMatchObject({ code: "register.invalid" });
    const late = await bob.sign(await prepare("bob"));
    rig.now += 16 * 60_000;
    await expect(rig.ask({ do: "submit", envelope: late })).rejects.toMatchObject({
      code: "register.invalid",
    });
    expect(rig.events).toHaveLength(1);
  });

  it("a statement that a hostile page made longer than it may be is refused", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    await bothNamed(1, publicText(publicKey));
    const forever = { ...statementBy("bob", NOW), expires: null };
    const envelope = await signedBy(forever, privateKey);
    await expect(rig.ask({ do: "submit", envelope })).rejects.toMatchObject({ code: "register.invalid" });
  });

  async function signedBy(statement: Statement, key: KeyObject): Promise<string> {
    const { payload, signed } = toSign(statement);
    const raw = Buffer.from(publicText(createPublicKey(key)), "base64");
    return JSON.stringify({
      payloadType: "application/vnd.sallyport.register.v1+json",
      payload: Buffer.from(payload).toString("base64"),
      signatures: [
        {
          keyid: createHash("sha256").update(raw).digest("hex").slice(0, 16),
          sig: sign(null, signed, key).toString("base64"),
        },
      ],
    });
  }
});

it("asking who may sign makes no key", async () => {
  rmSync(rig.places.keyFile);
  rmSync(join(rig.places.own, "statements"), { recursive: true });
  expect(await ownApprover(ACCOUNT, { registerPlaces: rig.places })).toBe(ACCOUNT);
  expect(await ownApprover(`${ACCOUNT}/bob`, { registerPlaces: rig.places })).toBeNull();
  expect(existsSync(rig.places.keyFile)).toBe(false);
});
