import { createHash } from "node:crypto";
import { rootCertificates } from "node:tls";
import { expect, it } from "vitest";
import { javaTrustStore } from "./java.ts";

const three = rootCertificates.slice(0, 3);

it("holds every certificate of the bundle, whole, and nothing else", () => {
  const store = javaTrustStore(`# comment\n${three.join("\n")}\n`);
  expect([store.readUInt32BE(0), store.readUInt32BE(4), store.readUInt32BE(8)]).toEqual([0xfeedfeed, 2, 3]);
  const found: string[] = [];
  let at = 12;
  for (let entry = 0; entry < 3; entry++) {
    expect(store.readUInt32BE(at)).toBe(2);
    at += 4;
    at += 2 + store.readUInt16BE(at) + 8; // alias, time
    at += 2 + store.readUInt16BE(at); // type
    const length = store.readUInt32BE(at);
    found.push(store.toString("base64", at + 4, at + 4 + length));
    at += 4 + length;
  }
  expect(found).toEqual(three.map((pem) => pem.replaceAll(/-----[A-Z ]+-----|\s/g, "")));
  expect(store.length).toBe(at + 20);
});

it("the digest is the one that Java computes for the password everybody knows", () => {
  const store = javaTrustStore(three.join("\n"));
  const password = Buffer.from([..."changeit"].flatMap((letter) => [0, letter.charCodeAt(0)]));
  const digest = createHash("sha1")
    .update(password)
    .update("Mighty Aphrodite")
    .update(store.subarray(0, -20));
  expect(store.subarray(-20)).toEqual(digest.digest());
});

it("what is no certificate is left out", () => {
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  expect(javaTrustStore(`${broken}${three[0]}`)).toEqual(javaTrustStore(three[0] ?? ""));
});
