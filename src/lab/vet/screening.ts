/**
 * Runs rows of many levels, and traces what they show to the fewest levels that show it: by comparing rows that have it
 * with rows that have not, then by leaving levels out. What is found that way is handed back to be tried properly.
 * Owns what the rows said; knows nothing of processes.
 */
import type { ReadRun } from "../observe/fold.ts";
import type { Effect } from "./compare.ts";
import type { Level } from "./factors.ts";
import { hasPieces, unknownPieces } from "./known.ts";
import { type Choice, fewest, type Row, suspectPairs, suspectsOf } from "./rows.ts";
import type { StagedRow } from "./stages.ts";

export interface ScreeningTools {
  /** One run of these levels. */
  readonly look: (row: Row, canWait: boolean) => Promise<ReadRun | "silent" | "late">;
  /** What the run has and the baseline has not. */
  readonly effects: (run: ReadRun) => readonly Effect[];
  readonly explain: (effect: Effect, row: Row) => string | null;
  /** Tries one level with all repeats and keeps what it shows. */
  readonly alone: (choice: Choice) => Promise<void>;
  /** Tries these together with all repeats, keeps what is new, and returns it. */
  readonly together: (row: Row) => Promise<readonly Effect[]>;
  readonly known: () => readonly Effect[];
  /** Whether there is no time left for what a person would see anyway. */
  readonly isLate: () => boolean;
  readonly say: (line: string) => void;
}

interface Screened extends StagedRow {
  readonly run: ReadRun;
}

/** A difference that rows show and nothing known explains. */
interface Clue {
  readonly pieces: readonly string[];
  readonly isHidden: boolean;
  readonly showing: Screened[];
}

/** Runs for one clue. */
const MOST_RUNS = 16;
const MOST_SUSPECTS = 3;
const MOST_PAIRS = 4;
/** Visible differences of rows that are followed: the levels of a factor mostly show the same. */
const MOST_VISIBLE = 6;
/** Each is traced, however long it takes; more of them have few causes. */
const MOST_HIDDEN = 24;

export class Screening {
  readonly #tools: ScreeningTools;
  readonly #screened: Screened[] = [];
  /** Of the rows' runs, as they looked when they were first asked for. */
  readonly #effects = new Map<Screened, readonly Effect[]>();
  /** Levels that were tried alone. */
  readonly cleared = new Set<Level>();
  /** Levels that some row held. */
  readonly mixed = new Set<Level>();

  constructor(tools: ScreeningTools) {
    this.#tools = tools;
  }

  get ran(): number {
    return this.#screened.length;
  }

  async run(staged: StagedRow): Promise<void> {
    const run = await this.#tools.look(staged.row, true);
    if (typeof run === "string") return;
    this.#screened.push({ ...staged, run });
    for (const { level } of staged.row) this.mixed.add(level);
  }

  /** Whether a row without any of these factors shows it. */
  showsWithout(signature: string, factors: ReadonlySet<string>): boolean {
    return this.#screened.some(
      (screened) =>
        !screened.row.some(({ factor }) => factors.has(factor.name)) &&
        this.#effectsOf(screened).some((effect) => effect.signature === signature),
    );
  }

  #effectsOf(screened: Screened): readonly Effect[] {
    const known = this.#effects.get(screened);
    if (known !== undefined) return known;
    const made = this.#tools.effects(screened.run);
    this.#effects.set(screened, made);
    return made;
  }

  async trace(): Promise<void> {
    const clues = this.#clues();
    if (clues.length > 0) this.#tools.say(`${clues.length} differences in combinations to be traced`);
    const hidden = clues.filter((clue) => clue.isHidden).slice(0, MOST_HIDDEN);
    const visible = clues.filter((clue) => !clue.isHidden).slice(0, MOST_VISIBLE);
    for (const clue of hidden) await this.#follow(clue);
    for (const clue of visible) if (!this.#tools.isLate()) await this.#follow(clue);
  }

  /** Hidden ones first, then those that most rows show. */
  #clues(): readonly Clue[] {
    const known = this.#tools.known();
    const clues = new Map<string, Clue>();
    for (const screened of this.#screened)
      for (const effect of this.#effectsOf(screened)) {
        const isHidden = effect.kind === "marker" || effect.kind === "order";
        if (effect.isUnsteady === true || (screened.isHiddenOnly && !isHidden)) continue;
        const pieces = unknownPieces(effect, known);
        if (pieces.length === 0 || this.#tools.explain(effect, screened.row) !== null) continue;
        const key = pieces.toSorted().join("\n");
        const clue = clues.get(key) ?? { pieces, isHidden, showing: [] };
        clues.set(key, { ...clue, isHidden: clue.isHidden || isHidden });
        clue.showing.push(screened);
      }
    return [...clues.values()].toSorted(
      (a, b) => Number(b.isHidden) - Number(a.isHidden) || b.showing.length - a.showing.length,
    );
  }

  async #follow(clue: Clue): Promise<void> {
    const isKnown = (): boolean => hasPieces(this.#tools.known(), clue.pieces);
    if (isKnown()) return;
    this.#tools.say(`tracing ${clue.pieces.map((piece) => JSON.stringify(piece.slice(0, 80))).join(", ")}`);
    const showing = clue.showing.map(({ row }) => row);
    const others = this.#screened.filter((one) => !clue.showing.includes(one)).map(({ row }) => row);
    for (const suspect of suspectsOf(showing, others, this.cleared).slice(0, MOST_SUSPECTS)) {
      await this.#tools.alone(suspect);
      if (isKnown()) return;
    }
    const shows = async (part: Row): Promise<boolean> => {
      const run = await this.#tools.look(part, false);
      return typeof run !== "string" && hasPieces(this.#tools.effects(run), clue.pieces);
    };
    for (const pair of suspectPairs(showing, others).slice(0, MOST_PAIRS))
      if (await shows(pair)) return void (await this.#tools.together(pair));
    const [row] = showing.toSorted((a, b) => a.length - b.length);
    // Seen once in one run, it may be chance.
    if (row === undefined || !(await shows(row))) return;
    const part = await fewest(row, shows, MOST_RUNS);
    const [only] = part;
    if (part.length === 1 && only !== undefined) await this.#tools.alone(only);
    else await this.#tools.together(part);
  }
}
