/**
 * Admission: whether what is about to start is what the register approves. A build that was revoked, whose approval has
 * run out, or that has other bytes than the approved ones never starts; one that nobody has spoken about starts only
 * where the profile permits it, and that is said. A refusal is recorded before it is told.
 */
import { Fault } from "../core/index.ts";
import {
  findExtensions,
  type LocatedAgent,
  readApprovals,
  type Standing,
  type Subject,
  standingOf,
} from "../register/index.ts";
import { localPrincipal } from "./places.ts";
import type { Prepared } from "./prepare.ts";
import type { House } from "./wire.ts";

export interface Admitted {
  /** The whole build's hash. */
  readonly build: string;
  /** SHA-256 of the executable, hex. */
  readonly executable: string;
  readonly standing: Standing;
  /** What the person is told before the agent starts; null when there is nothing to say. */
  readonly note: string | null;
}

type Needs = Pick<House, "buildHash" | "registerPlaces" | "append" | "clock">;

/** Throws `admission.refused`, `register.invalid`. */
export async function admit(
  { agent, policy, workspace }: Pick<Prepared, "agent" | "policy" | "workspace">,
  house: Needs,
): Promise<Admitted> {
  const profile = { name: policy.name, sha256: policy.sha256 };
  const refuse = async (
    what: string,
    subject: Subject,
    found: Standing,
    reason: string,
    remedy: string = remedyOf(found, agent, what),
  ): Promise<never> => {
    await house.append({
      kind: "admission.refused",
      principal: localPrincipal(),
      agent: { name: agent.name, version: agent.version },
      profile,
      what,
      hash: subject.hash,
      standing: found.state,
    });
    throw new Fault("admission.refused", { detail: reason, remedy });
  };
  const subject = await subjectOf(agent, house);
  const found = standingFor(subject, house);
  const shown = titleOf(agent);
  if (policy.agents !== null && !policy.agents.some((name) => name === agent.name || name === shown))
    await refuse(
      "agent",
      subject,
      found,
      `${shown}: ${policy.name} lets only ${policy.agents.join(", ")} run`,
      "use one of those, or ask the owner of the policy",
    );
  const mustBeApproved = policy.admission.builds === "approved";
  if (stops(found, mustBeApproved))
    await refuse(
      "build",
      subject,
      found,
      `${shown}: ${standingText(found)}${mustBeApproved ? `; ${policy.name} wants an approved build` : ""}`,
    );
  if (policy.repositorySettings === "use" && policy.admission.extensions === "approved")
    for (const extension of findExtensions(workspace, agent.kind?.name ?? null)) {
      const stood = standingFor(extension, house);
      if (stood.state !== "approved")
        await refuse(
          extension.path,
          extension,
          stood,
          `the repository brings \`${extension.path}\` (${extension.type}): ${standingText(stood)}`,
        );
    }
  const isSaid = agent.kind !== null && found.state !== "approved";
  return {
    build: subject.hash,
    executable: subject.executable,
    standing: found,
    note: isSaid ? `${shown} is not vetted; profile ${policy.name} permits that` : null,
  };
}

/** Where the register has a build. */
export async function standing(agent: LocatedAgent, house: Needs): Promise<Standing> {
  return standingFor(await subjectOf(agent, house), house);
}

/** A build as the register names it. */
export async function subjectOf(
  agent: Pick<LocatedAgent, "name" | "version" | "executable" | "program">,
  { buildHash }: Pick<House, "buildHash">,
): Promise<Extract<Subject, { kind: "build" }>> {
  const { hash, executable, files } = await buildHash(agent.executable);
  return {
    kind: "build",
    agent: agent.name,
    version: agent.version ?? "unknown",
    platform: `${process.platform}-${process.arch}`,
    hash,
    files,
    executable,
    native: agent.program[0] === agent.executable,
  };
}

function standingFor(subject: Subject, { registerPlaces, clock }: Needs): Standing {
  const { statements, required } = readApprovals(registerPlaces);
  return standingOf(
    subject,
    statements.map(({ statement }) => statement),
    required,
    clock.now(),
  );
}

function stops(found: Standing, mustBeApproved: boolean): boolean {
  if (found.state === "approved") return false;
  return mustBeApproved || !(found.state === "unknown" || found.state === "pending");
}

const titleOf = ({ name, version }: LocatedAgent): string => (version === null ? name : `${name} ${version}`);
const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** One line of what the register says. */
export function standingText(found: Standing): string {
  switch (found.state) {
    case "approved":
      return `approved by ${found.by.join(", ")}${found.expires === null ? "" : ` until ${day(found.expires)}`}`;
    case "pending":
      return `approved by ${found.by.join(", ")}; ${found.needed} more must agree`;
    case "expired":
      return `its approval ended on ${day(found.on)}`;
    case "revoked":
      return `revoked by ${found.by} on ${day(found.at)}: ${found.reason}`;
    case "changed":
      return `its bytes are not the approved ones (approved: ${found.approved})`;
    case "unknown":
      return "nobody has approved it";
    default:
      found satisfies never;
      return "";
  }
}

function remedyOf(found: Standing, agent: LocatedAgent, what: string): string {
  const name = agent.version === null ? agent.executable : `${agent.name}@${agent.version}`;
  if (what !== "build")
    return `read it, then \`sallyport register approve --extension ${what} --reason …\`; or remove it`;
  switch (found.state) {
    case "revoked":
      return "use an approved build: see `sallyport register list`";
    case "changed":
      return `install the approved bytes: \`sallyport install ${name}\`; if the change is meant, vet and approve it`;
    case "approved":
    case "pending":
    case "expired":
    case "unknown":
      return `\`sallyport vet ${name}\`, then somebody who may runs \`sallyport register approve ${name} --reason …\``;
    default:
      found satisfies never;
      return "";
  }
}
