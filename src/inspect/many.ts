/** Search for many strings at once (Aho and Corasick, 1975), whole texts or streams cut anywhere. */

interface Node {
  readonly next: Map<number, number>;
  fail: number;
  /** Index of the longest word that ends here, or -1. */
  word: number;
  readonly depth: number;
}

interface Hit {
  readonly word: number;
  readonly start: number;
  readonly end: number;
}

export interface ManyStrings {
  /** Disjoint hits from the left; of two that start together the longer. */
  search(text: string): Hit[];
  /** How many characters at the end of `text` begin a word: what a stream must hold back. */
  pending(text: string): number;
}

/** In a text of this many characters none of so few words is found out faster word by word, by the engine's own search. */
const LONG = 256;
const FEW = 200;

export function manyStrings(words: readonly string[]): ManyStrings {
  const nodes: Node[] = [{ next: new Map(), fail: 0, word: -1, depth: 0 }];
  const at = (index: number): Node => nodes[index] as Node; // every index stored in a node is a node's
  words.forEach((word, index) => {
    let state = 0;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      let target = at(state).next.get(code);
      if (target === undefined) {
        target = nodes.push({ next: new Map(), fail: 0, word: -1, depth: i + 1 }) - 1;
        at(state).next.set(code, target);
      }
      state = target;
    }
    if (state !== 0) at(state).word = index;
  });
  const queue = [...at(0).next.values()];
  for (const state of queue) {
    for (const [code, target] of at(state).next) {
      let fail = at(state).fail;
      while (fail !== 0 && !at(fail).next.has(code)) fail = at(fail).fail;
      const step = at(fail).next.get(code);
      at(target).fail = step !== undefined && step !== target ? step : 0;
      if (at(target).word < 0) at(target).word = at(at(target).fail).word;
      queue.push(target);
    }
  }
  const step = (state: number, code: number): number => {
    let from = state;
    for (;;) {
      const target = at(from).next.get(code);
      if (target !== undefined) return target;
      if (from === 0) return 0;
      from = at(from).fail;
    }
  };
  return {
    search(text) {
      if (text.length >= LONG && words.length <= FEW && !words.some((word) => text.includes(word))) return [];
      const hits: Hit[] = [];
      let state = 0;
      for (let i = 0; i < text.length; i++) {
        state = step(state, text.charCodeAt(i));
        const { word } = at(state);
        if (word < 0) continue;
        const start = i + 1 - (words[word]?.length ?? 0);
        // A longer word from the same or an earlier place takes the place of what it covers.
        while (hits.length > 0 && (hits.at(-1)?.start ?? -1) >= start) hits.pop();
        if ((hits.at(-1)?.end ?? 0) <= start) hits.push({ word, start, end: i + 1 });
      }
      return hits;
    },
    pending(text) {
      let state = 0;
      for (let i = 0; i < text.length; i++) state = step(state, text.charCodeAt(i));
      return at(state).depth;
    },
  };
}
