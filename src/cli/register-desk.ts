/**
 * What the station does when somebody who is signed in to the console approves or revokes a build or an extension.
 *
 * A statement counts by its key, never by who is signed in: the link to the console was made at this account, and a name
 * that it gives proves nothing. So there are two ways, and both fail closed:
 * - `sign`: with the approving key of this machine, only for the person whose key it is
 * - `prepare`, then `submit`: an approver on the list signs in their own browser, with a key that never leaves it
 * Two approvers are two keys: nobody makes up the second one here. What is done is on the record before it takes effect.
 */
import { existsSync } from "node:fs";
import { canonicalText, Fault, type Json } from "../core/index.ts";
import {
  type Approvals,
  approvingKey,
  hashBuild,
  locateAgent,
  nameOf,
  openStatement,
  putEnvelope,
  putStatement,
  readApprovals,
  type Statement,
  type Subject,
  statementId,
  toSign,
} from "../register/index.ts";
import { subjectOf } from "./admission.ts";
import { localPrincipal, type Places } from "./places.ts";
import { hashFile } from "./prepare.ts";
import type { House } from "./wire.ts";

const DAY_MS = 86_400_000;
export const LONGEST_DAYS = 366;
/** Between preparing a statement and handing it in signed: a person has to press a button. */
const SIGNING_MS = 15 * 60_000;

export interface StateAsked {
  readonly state: Statement["action"];
  /** `h1:…` */
  readonly hash: string;
  /** `agent@version`, by which a build is found on this machine that nobody has spoken about yet; else null. */
  readonly name: string | null;
  readonly reason: string;
  /** How long an approval holds; a revocation has no end. */
  readonly days: number;
  /** SHA-256 of the vetting report that was looked at, hex; null: none. */
  readonly report: string | null;
}

export type RegisterAction =
  | ({ readonly do: "sign" } & StateAsked)
  | ({
      readonly do: "prepare" /** The approver, as the list names the key that will sign. */;
      readonly as: string;
    } & StateAsked)
  /** A DSSE envelope round what `prepare` gave. */
  | { readonly do: "submit"; readonly envelope: string };

export interface Prepared {
  /** Base64 of the statement's canonical JSON, and of what the key signs. */
  readonly payload: string;
  readonly signed: string;
}

export interface Stated {
  /** Of the ledger's entry. */
  readonly index: number;
  /** SHA-256 of the statement, hex. */
  readonly statement: string;
  readonly by: string;
}

type Needs = Pick<House, "append" | "clock" | "registerPlaces">;

/** `by`: who is signed in. Throws `register.stranger`, `register.invalid`, `usage.invalid`, or what recording throws. */
export async function registerDesk(
  action: RegisterAction,
  by: string,
  house: Needs,
  places: Pick<Places, "agents">,
): Promise<Prepared | Stated> {
  const approvals = readApprovals(house.registerPlaces);
  switch (action.do) {
    case "sign":
      return sign(action, by, approvals, house, places);
    case "prepare": {
      if (!approvals.approvers.some(({ name }) => name === action.as))
        throw new Fault("register.stranger", { detail: `\`${action.as}\`` });
      const subject = await subjectFor(action, approvals, places);
      const { payload, signed } = toSign(statementOf(action, subject, action.as, house));
      return { payload: base64(payload), signed: base64(signed) };
    }
    case "submit":
      return submit(action.envelope, by, approvals, house);
    default:
      action satisfies never;
      throw new Fault("internal.bug", { detail: "unknown action" });
  }
}

/**
 * Under which name the approving key of this machine would sign for whoever is signed in; null: it is not theirs. It is
 * theirs when they are this account itself, or are signed in by the name that the list gives to the key.
 */
export async function ownApprover(by: string, house: Pick<House, "registerPlaces">): Promise<string | null> {
  const account = localPrincipal();
  const { keyFile } = house.registerPlaces;
  // Asking makes no key: where nobody is named, the first approval of this account does.
  if (!existsSync(keyFile))
    return by === account && readApprovals(house.registerPlaces).approvers.length === 0 ? account : null;
  const key = await approvingKey(house.registerPlaces);
  try {
    const name = nameOf(key, readApprovals(house.registerPlaces), account);
    return by === account || by === `${account}/${name}` ? name : null;
  } catch (error) {
    if (error instanceof Fault && error.code === "register.stranger") return null;
    throw error;
  }
}

async function sign(
  action: StateAsked,
  by: string,
  approvals: Approvals,
  house: Needs,
  places: Pick<Places, "agents">,
): Promise<Stated> {
  const name = await ownApprover(by, house);
  if (name === null)
    throw new Fault("register.stranger", {
      detail: `the approving key of this machine is not that of \`${by}\``,
      remedy: "sign with a key of your own that approvers.yaml names",
    });
  const subject = await subjectFor(action, approvals, places);
  const statement = statementOf(action, subject, name, house);
  const index = await record(statement, by, house);
  await putStatement(house.registerPlaces, statement, await approvingKey(house.registerPlaces));
  return { index, statement: statementId(statement), by: name };
}

async function submit(text: string, by: string, approvals: Approvals, house: Needs): Promise<Stated> {
  const opened = openStatement(text, "what was signed in the browser", approvals.approvers);
  if (opened === null)
    throw new Fault("register.stranger", { detail: "the key that signed this is on no list of approvers" });
  const { statement, id } = opened;
  const refuse = (detail: string): Fault =>
    new Fault("register.invalid", { detail, remedy: "sign it again" });
  const age = house.clock.now() - statement.at;
  // A statement that somebody once signed and never handed in, or one that was withdrawn, must not come back.
  if (!(age >= -SIGNING_MS && age <= SIGNING_MS)) throw refuse("it was not signed just now");
  if (approvals.statements.some((known) => known.id === id)) throw refuse("it is there already");
  if (statement.reason.trim() === "") throw refuse("it gives no reason");
  if (
    statement.action === "approve" &&
    (statement.expires === null || statement.expires > statement.at + LONGEST_DAYS * DAY_MS)
  )
    throw refuse(`it holds for longer than ${LONGEST_DAYS} days`);
  const index = await record(statement, by, house);
  await putEnvelope(house.registerPlaces, opened, text);
  return { index, statement: id, by: statement.by };
}

function statementOf(
  { state, reason, days, report }: StateAsked,
  subject: Subject,
  by: string,
  { clock }: Pick<Needs, "clock">,
): Statement {
  if (reason.trim() === "") throw new Fault("usage.invalid", { detail: "a reason is wanted" });
  if (!Number.isInteger(days) || days < 1 || days > LONGEST_DAYS)
    throw new Fault("usage.invalid", { detail: `${days} days`, remedy: `1 to ${LONGEST_DAYS}` });
  const at = clock.now();
  return {
    type: "sallyport/register/v1",
    action: state,
    subject,
    by,
    at,
    reason,
    expires: state === "approve" ? at + days * DAY_MS : null,
    evidence: report === null ? {} : { report },
  };
}

const record = async (statement: Statement, principal: string, house: Needs): Promise<number> => {
  const { subject } = statement;
  const { index } = await house.append({
    kind: "register.changed",
    principal,
    action: statement.action === "approve" ? "approved" : "revoked",
    subject: {
      kind: subject.kind,
      name:
        subject.kind === "build" ? `${subject.agent}@${subject.version} ${subject.platform}` : subject.path,
      hash: subject.hash,
    },
    by: statement.by,
    statement: statementId(statement),
    reason: statement.reason,
    expires: statement.expires,
  });
  return index;
};

/** What the statement is about: what was spoken about before, else the build as it lies on this machine, bytes and all. */
async function subjectFor(
  { hash, name }: StateAsked,
  { statements }: Approvals,
  places: Pick<Places, "agents">,
): Promise<Subject> {
  const known = statements
    .map(({ statement }) => statement.subject)
    .filter((subject) => subject.hash === hash);
  const [first] = known;
  if (first !== undefined) {
    const differs = known.some(
      (one) => canonicalText(one as unknown as Json) !== canonicalText(first as unknown as Json),
    );
    if (!differs) return first;
  }
  if (name === null)
    throw new Fault("usage.invalid", {
      detail: "nobody has spoken about these bytes yet",
      remedy: "approve them where they are: sallyport register approve NAME --reason TEXT",
    });
  const agent = await locateAgent(name, {
    path: process.env["PATH"] ?? "",
    cwd: "/",
    agentsFolder: places.agents,
    arch: process.arch,
    node: process.execPath,
  });
  const found = await subjectOf(agent, { buildHash: (executable) => hashBuild(executable, hashFile) });
  if (found.hash === hash) return found;
  throw new Fault("usage.invalid", {
    detail: `\`${name}\` on this machine has other bytes: ${found.hash}`,
    remedy: "approve it where these bytes are: sallyport register approve NAME --reason TEXT",
  });
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
