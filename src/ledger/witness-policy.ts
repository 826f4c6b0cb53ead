/**
 * Whose cosignatures make a checkpoint believed: a policy file after c2sp.org/tlog-policy, so that one file serves the
 * station (which asks the witnesses that have a URL), this verifier and other people's.
 *
 *   log <vkey> [<url>]
 *   witness <name> <vkey> [<url>]
 *   group <name> all|any|<k> <name>…
 *   quorum <name>|none
 *
 * Pure. Limits: 64 KiB, 32 lines each of logs, witnesses and groups.
 */
import { Fault } from "../core/index.ts";
import { COSIGNATURES, parseVerifierKey, type Verifier } from "./note.ts";

export interface PolicyWitness {
  /** Its name within the policy. */
  readonly name: string;
  readonly key: Verifier;
  /** The prefix before `/add-checkpoint`; null where the policy names none. */
  readonly url: string | null;
}

export interface WitnessPolicy {
  /** Logs whose checkpoints it accepts; empty: any that is known otherwise. */
  readonly logs: readonly Verifier[];
  readonly witnesses: readonly PolicyWitness[];
  /** The name on the quorum line. */
  readonly quorum: string;
  /** Whether these witnesses, by their names, are enough. */
  readonly isMetBy: (cosigned: ReadonlySet<string>) => boolean;
}

const MAX_TEXT = 64 * 1024;
const MAX_LINES = 32;

/** Throws `witness.invalid` with the line at fault. `at` names the file. */
export function parseWitnessPolicy(text: string, at = "policy"): WitnessPolicy {
  if (text.length > MAX_TEXT) throw new Fault("witness.invalid", { at, detail: "longer than 64 KiB" });
  const reader = new PolicyReader();
  for (const [i, line] of text.split("\n").entries()) {
    const [word = "", ...rest] = line.split(/[ \t]+/).filter((part) => part !== "");
    if (word === "" || word.startsWith("#")) continue;
    try {
      reader.take(word, rest);
    } catch (cause) {
      const detail = cause instanceof Fault ? (cause.detail ?? "") : String(cause);
      throw new Fault("witness.invalid", { at: `${at}:${i + 1}`, detail, cause });
    }
  }
  return reader.end(at);
}

type IsMet = (cosigned: ReadonlySet<string>) => boolean;

const bad = (detail: string): Fault => new Fault("witness.invalid", { detail });

class PolicyReader {
  readonly #logs: Verifier[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  /** Witnesses and groups share one space of names. */
  readonly #named = new Map<string, IsMet>();
  readonly #members = new Set<string>();
  #groups = 0;
  #quorum: string | null = null;

  take(word: string, rest: readonly string[]): void {
    if (word === "log") this.#log(rest);
    else if (word === "witness") this.#witness(rest);
    else if (word === "group") this.#group(rest);
    else if (word === "quorum") this.#takeQuorum(rest);
    else throw bad(`unknown word \`${word}\``);
  }

  end(at: string): WitnessPolicy {
    if (this.#quorum === null) throw new Fault("witness.invalid", { at, detail: "no quorum line" });
    const isMetBy = this.#quorum === "none" ? (): boolean => true : this.#named.get(this.#quorum);
    if (isMetBy === undefined) throw new Fault("internal.bug", { detail: "a quorum without its rule" });
    return { logs: this.#logs, witnesses: this.#witnesses, quorum: this.#quorum, isMetBy };
  }

  #log([text = "", , more]: readonly string[]): void {
    const key = parseVerifierKey(text);
    if (more !== undefined) throw bad("a log has a key and a URL");
    if (COSIGNATURES.includes(key.type)) throw bad("that is a witness's key, not a log's");
    if (this.#logs.some((log) => log.key.equals(key.key))) throw bad("the same log twice");
    if (this.#logs.push(key) > MAX_LINES) throw bad(`more than ${MAX_LINES} logs`);
  }

  #witness([name = "", text = "", url, more]: readonly string[]): void {
    const key = parseVerifierKey(text);
    if (more !== undefined) throw bad("a witness has a name, a key and a URL");
    if (!COSIGNATURES.includes(key.type)) throw bad("that is a log's key, not a witness's");
    if (url !== undefined && !/^https?:\/\/[^\s]+$/.test(url)) throw bad("a witness's URL is http or https");
    if (this.#witnesses.some((w) => w.key.key.equals(key.key))) throw bad("the same witness twice");
    this.#name(name, (cosigned) => cosigned.has(name));
    if (this.#witnesses.push({ name, key, url: url?.replace(/\/$/, "") ?? null }) > MAX_LINES)
      throw bad(`more than ${MAX_LINES} witnesses`);
  }

  #group([name = "", how = "", ...members]: readonly string[]): void {
    const rules = members.map((member) => {
      const rule = this.#named.get(member);
      if (rule === undefined) throw bad(`\`${member}\` is not defined before`);
      if (this.#members.has(member)) throw bad(`\`${member}\` is a member already`);
      this.#members.add(member);
      return rule;
    });
    const enough =
      how === "all" ? rules.length : how === "any" ? 1 : /^[1-9]\d*$/.test(how) ? Number(how) : 0;
    if (enough < 1 || enough > rules.length)
      throw bad(`\`${how}\` of ${rules.length} members is no threshold`);
    this.#name(name, (cosigned) => rules.filter((isMet) => isMet(cosigned)).length >= enough);
    if (++this.#groups > MAX_LINES) throw bad(`more than ${MAX_LINES} groups`);
  }

  #takeQuorum([name = "", more]: readonly string[]): void {
    if (this.#quorum !== null) throw bad("a second quorum line");
    if (more !== undefined || (name !== "none" && !this.#named.has(name)))
      throw bad(`\`${name}\` is not defined before`);
    this.#quorum = name;
  }

  #name(name: string, rule: IsMet): void {
    if (name === "" || name === "none" || this.#named.has(name))
      throw bad(`\`${name}\` cannot be a name here`);
    this.#named.set(name, rule);
  }
}
