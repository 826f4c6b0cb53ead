/**
 * An approver's key that lives in this browser: Ed25519, made here, kept in IndexedDB, and not to be taken out of it (not
 * extractable). What leaves is the public key, for approvers.yaml, and signatures.
 */
import type { PreparedStatement } from "../../../api/agents.ts";

const DATABASE = "sallyport";
const STORE = "keys";
const NAME = "approver";
const PAYLOAD_TYPE = "application/vnd.sallyport.register.v1+json";

export interface OwnKey {
  /** Base64 of the 32 bytes, as approvers.yaml has it. */
  readonly publicText: string;
  /** A DSSE envelope round what the server prepared. */
  sign(prepared: PreparedStatement): Promise<string>;
}

/** The key of this browser; null: none was made. */
export async function ownKey(): Promise<OwnKey | null> {
  const pair = await withStore("readonly", (store) => store.get(NAME));
  return isPair(pair) ? asOwnKey(pair) : null;
}

/** Makes the key, in place of an earlier one. */
export async function makeOwnKey(): Promise<OwnKey> {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  if (!isPair(pair)) throw new Error("this browser makes no Ed25519 keys");
  await withStore("readwrite", (store) => store.put(pair, NAME));
  return asOwnKey(pair);
}

async function asOwnKey(pair: CryptoKeyPair): Promise<OwnKey> {
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
  const keyid = [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    publicText: base64(raw),
    sign: async ({ payload, signed }) => {
      const sig = await crypto.subtle.sign("Ed25519", pair.privateKey, bytesOf(signed));
      return JSON.stringify({
        payloadType: PAYLOAD_TYPE,
        payload,
        signatures: [{ keyid, sig: base64(new Uint8Array(sig)) }],
      });
    },
  };
}

/** What a person is about to sign, read out of the very bytes: not what the page said it would be. */
export function statementIn({ payload }: PreparedStatement): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytesOf(payload)));
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}; // shown as it is
}

const isPair = (value: unknown): value is CryptoKeyPair =>
  typeof value === "object" && value !== null && "privateKey" in value && "publicKey" in value;

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function withStore(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => void opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        database.close();
        resolve(request.result);
      };
      transaction.onerror = () => {
        database.close();
        reject(transaction.error);
      };
    };
  });
}
