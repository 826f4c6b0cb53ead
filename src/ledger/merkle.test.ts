import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  consistencyProof,
  GrowingTree,
  inclusionProof,
  leafHash,
  nodeHash,
  rangeHash,
  type SubtreeHash,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";
import {
  checkpointText,
  openCheckpoint,
  openNote,
  parseSignerKey,
  parseVerifierKey,
  signerKeyText,
  signNote,
} from "./note.ts";
import { decodeBundle, encodeBundle, tilePath } from "./tiles.ts";

interface Vector {
  readonly file: string;
  readonly wantErr: boolean;
  readonly leafIdx?: number;
  readonly treeSize?: number;
  readonly leafHash?: string;
  readonly root?: string;
  readonly size1?: number;
  readonly size2?: number;
  readonly root1?: string;
  readonly root2?: string;
  readonly proof: readonly string[] | null;
}
const path = join(import.meta.dirname, "../../test/fixtures/ledger/merkle-vectors.json");
const vectors = JSON.parse(readFileSync(path, "utf8")) as Vector[];
const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64");

it("all 196 proof vectors of transparency-dev/merkle are judged as they say", () => {
  expect(vectors).toHaveLength(196);
  for (const v of vectors) {
    const proof = (v.proof ?? []).map(bytes);
    const good =
      v.leafIdx !== undefined
        ? verifyInclusion(bytes(v.leafHash), BigInt(v.leafIdx), BigInt(v.treeSize ?? 0), proof, bytes(v.root))
        : verifyConsistency(
            BigInt(v.size1 ?? 0),
            BigInt(v.size2 ?? 0),
            bytes(v.root1),
            bytes(v.root2),
            proof,
          );
    expect(good, v.file).toBe(!v.wantErr);
  }
});

const leaves = Array.from({ length: 700 }, (_, n) => leafHash(Buffer.from(`entry ${n}`)));
/** By the definition: a complete subtree is the hash of its halves. */
const subtree: SubtreeHash = (level, index) =>
  level === 0
    ? (leaves[index] ?? expect.fail(`no leaf ${index}`))
    : nodeHash(subtree(level - 1, index * 2), subtree(level - 1, index * 2 + 1));

it("every proof that is made is verified, and none that is bent", () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 700 }), fc.nat(699), fc.nat(9)).filter(([n, i]) => i < n);
  fc.assert(
    fc.property(sizes, ([size, index, bend]) => {
      const root = rangeHash(subtree, 0, size);
      const leaf = leaves[index] ?? expect.fail("no leaf");
      const proof = inclusionProof(subtree, index, size);
      expect(verifyInclusion(leaf, BigInt(index), BigInt(size), proof, root)).toBe(true);
      const then = rangeHash(subtree, 0, index + 1);
      const since = consistencyProof(subtree, index + 1, size);
      expect(verifyConsistency(BigInt(index + 1), BigInt(size), then, root, since)).toBe(true);
      for (const [i, good] of [...proof.entries()].filter(([i]) => i === bend % (proof.length || 1))) {
        const bent = proof.with(i, leafHash(good));
        expect(verifyInclusion(leaf, BigInt(index), BigInt(size), bent, root)).toBe(false);
      }
    }),
    { numRuns: 60 },
  );
});

it("a tree that grows leaf by leaf has the roots of the definition", () => {
  const tree = new GrowingTree();
  for (const [n, leaf] of leaves.entries()) {
    tree.push(leaf);
    if (n % 37 === 0 || n === 255 || n === 256) expect(tree.root()).toEqual(rangeHash(subtree, 0, n + 1));
  }
});

// From golang.org/x/mod/sumdb/note's example_test.go (BSD licence).
const NEUMANN = {
  signer: "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
  verifier: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  line: "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
};

it("the signed-note example is signed to the same bytes and opened", () => {
  const signer = parseSignerKey(NEUMANN.signer);
  expect(signer.verifierKey).toBe(NEUMANN.verifier);
  const note = signNote(NEUMANN.text, [signer]);
  expect(note).toBe(`${NEUMANN.text}\n${NEUMANN.line}`);
  expect(openNote(note, [parseVerifierKey(NEUMANN.verifier)]).text).toBe(NEUMANN.text);
});

const other = parseSignerKey(signerKeyText("other.example", Buffer.alloc(32, 7)));
const good = `${NEUMANN.text}\n${NEUMANN.line}`;
it.each([
  ["a text that was changed", good.replace("answer", "question")],
  ["no signature", `${NEUMANN.text}\n`],
  ["only unknown signatures", signNote(NEUMANN.text, [other])],
  ["a control character", good.replace("answer", "ans\u0007wer")],
  ["a tab", good.replace(" answer", "\tanswer")],
  ["a signature cut short", good.replace("JnAM=\n", "\n")],
  ["base64 with another spelling", good.replace("JnAM=", "JnAN=")],
  ["a line that is no signature", `${good}x\n`],
  ["a missing last newline", good.slice(0, -1)],
])("a note with %s is refused", (_, note) => {
  expect(() => openNote(note, [parseVerifierKey(NEUMANN.verifier)])).toThrow();
});

it("signatures by unknown keys are ignored beside a known one", () => {
  const note = signNote(NEUMANN.text, [other, parseSignerKey(NEUMANN.signer)]);
  expect(openNote(note, [parseVerifierKey(NEUMANN.verifier)]).signatures).toHaveLength(1);
});

it.each([
  ["a size with a leading zero", "other.example\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
  ["a short root", "other.example\n1\nAAAA\n"],
  ["another log's origin", "third.example\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"],
])("a checkpoint with %s is refused", (_, text) => {
  expect(() => openCheckpoint(signNote(text, [other]), [parseVerifierKey(other.verifierKey)])).toThrow();
});

it("checkpoint text and its reading are inverse", () => {
  const checkpoint = { origin: "other.example", size: 12345, root: Buffer.alloc(32, 3) };
  const note = signNote(checkpointText(checkpoint), [other]);
  expect(openCheckpoint(note, [parseVerifierKey(other.verifierKey)])).toEqual(checkpoint);
});

// Paths from c2sp.org/tlog-tiles.
it.each([
  [0, 0, 256, "tile/0/000"],
  [1, 999, 256, "tile/1/999"],
  [0, 1234067, 256, "tile/0/x001/x234/067"],
  ["entries", 1000, 5, "tile/entries/x001/000.p/5"],
] as const)("tile level %s index %d width %d is %s", (level, index, width, expected) => {
  expect(tilePath(level, index, width)).toBe(expected);
});

it("a bundle and its reading are inverse; half a bundle is none", () => {
  const entries = fc.array(
    fc.uint8Array({ maxLength: 300 }).map((b) => Buffer.from(b)),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(entries, (all) => {
      expect(decodeBundle(encodeBundle(all))).toEqual(all);
    }),
  );
  expect(decodeBundle(Buffer.from([0, 3, 1]))).toBeNull();
});
