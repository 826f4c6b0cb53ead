/**
 * Credentials whose format is more than a literal prefix and an alphabet: structure inside, a marker in the middle, a
 * URL round them, or armour.
 */
import { entropy } from "../checksum.ts";
import {
  type Detector,
  type Family,
  filler,
  isStandIn,
  OWN_LICENCE,
  type Reader,
  type Span,
} from "../detector.ts";

/** Every way to pick one of each: anchors that stand for a small set of first characters. */
const cross = (...parts: readonly (string | readonly string[])[]): string[] =>
  parts.reduce<string[]>(
    (heads, part) => heads.flatMap((head) => [...part].map((tail) => head + tail)),
    [""],
  );

const hex32 = filler("hex", 32);
const varied = (bits: number) => (value: string) => entropy(value) >= bits && !isStandIn(value);
const digitsIn = (text: string): number => text.replace(/\D/g, "").length;

/** What stands where a password would: templates, shell and template variables. */
const STAND_IN_PASSWORD =
  /^(?:your[-_]?\w*|x{3,}|y{3,}|\*+|\.+|-+|\[.*|<.*|\$.*|%[^0-9A-Fa-f].*|\{.*|#\{.*|:.*|redacted|hidden|masked)$/i;

/** How far round the `kind` line a manifest is read. */
const MANIFEST_REACH = 4000;
const MANIFEST_VALUE =
  /^([ \t]{1,24})["']?[\w.-]{1,120}["']?[ \t]{0,4}:[ \t]{0,4}(?:[|>][+-]?[ \t]{0,4}\r?\n[ \t]{1,32})?["']?([^\s"'{}<>$|#][^\r\n"'{}<>$]{3,2000})["']?[ \t]{0,4}$/gm;

function readSecretManifest(text: string, start: number, end: number): readonly Span[] {
  if (/[A-Za-z]/.test(text.charAt(end))) return [];
  const from = Math.max(text.lastIndexOf("\n---", start) + 1, start - MANIFEST_REACH, 0);
  const border = text.indexOf("\n---", end);
  const document = text.slice(from, Math.min(border < 0 ? text.length : border, end + MANIFEST_REACH));
  if (!/data["']?:/i.test(document)) return [];
  const spans: Span[] = [];
  for (const block of document.matchAll(
    /^[ \t-]{0,24}["']?(?:data|stringData)["']?:[ \t]{0,8}\r?\n((?:(?:[ \t]{1,40}[^\n]{0,4000})?(?:\n|$)){1,200})/gm,
  )) {
    const body = block[1] ?? "";
    const at = from + block.index + block[0].length - body.length;
    for (const entry of body.matchAll(MANIFEST_VALUE)) {
      const value = (entry[2] ?? "").trimEnd();
      const place = at + entry.index + entry[0].lastIndexOf(value);
      if (!STAND_IN_PASSWORD.test(value))
        spans.push({ start: place, end: place + value.length, verified: false });
    }
  }
  return spans;
}

const credentials: readonly (Detector | Reader)[] = [
  {
    id: "private-key",
    class: "secret",
    title: "PEM, OpenSSH or PGP private key",
    source: "https://www.rfc-editor.org/rfc/rfc7468",
    anchors: ["-----begin"],
    // The armour may be cut: what follows the header is a key even without its footer.
    pattern:
      /-----BEGIN[ A-Z0-9_-]{0,64}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{16,20000}?-----END[ A-Z0-9_-]{0,64}PRIVATE KEY(?: BLOCK)?-----|[^-]{40,20000})/,
    accept: (value) =>
      !value.includes("...") &&
      !isStandIn(value.replace(/-----[^-]*-----/g, "").replace(/[^A-Za-z0-9]/g, "")),
    examples: [
      `-----BEGIN RSA PRIVATE KEY-----\n${filler("base62", 64)}\n${filler("base62", 40)}\n-----END RSA PRIVATE KEY-----`,
      `"-----BEGIN PRIVATE KEY-----\\n${filler("base62", 64)}\\n-----END PRIVATE KEY-----\\n"`,
    ],
    counterexamples: [
      `-----BEGIN PUBLIC KEY-----\n${filler("base62", 64)}\n-----END PUBLIC KEY-----`,
      "grep -r 'BEGIN RSA PRIVATE KEY' .",
    ],
  },
  {
    id: "private-key-base64",
    class: "secret",
    title: "base64 of a PEM private key",
    source: "https://www.rfc-editor.org/rfc/rfc7468",
    anchors: ["ls0tls1crudjtib"],
    pattern: /LS0tLS1CRUdJTi[A-Za-z0-9+/=]{40,8000}/,
    accept: (value) => /PRIVATE KEY/.test(Buffer.from(value.slice(0, 80), "base64").toString("latin1")),
    examples: [
      Buffer.from(`-----BEGIN RSA PRIVATE KEY-----\n${filler("base62", 64)}\n`, "latin1").toString("base64"),
    ],
    counterexamples: [
      Buffer.from(`-----BEGIN CERTIFICATE-----\n${filler("base62", 64)}\n`, "latin1").toString("base64"),
    ],
  },
  {
    id: "putty-key",
    class: "secret",
    title: "PuTTY private key",
    source: "https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html",
    anchors: ["putty-user-key-file-"],
    pattern:
      /PuTTY-User-Key-File-[23]: [\w-]{3,40}[\s\S]{20,4000}?Private-Lines: \d{1,3}\s{1,4}[A-Za-z0-9+/=\s]{40,8000}/,
    examples: [
      `PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: fake\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\n${filler("base62", 48)}\n`,
    ],
    counterexamples: ["PuTTY-User-Key-File-3: ssh-ed25519"],
  },
  {
    id: "jwt",
    class: "secret",
    title: "JSON Web Token",
    source: "https://www.rfc-editor.org/rfc/rfc7519",
    anchors: ["eyj", "ewog"],
    pattern:
      /(?<![A-Za-z0-9_.-])(?:eyJ|ewog)[A-Za-z0-9_-]{12,2000}\.(?:eyJ|ewo|e30)[A-Za-z0-9_-]{0,8000}\.[A-Za-z0-9_/+=-]{0,2000}/,
    accept: (value) => value.length >= 40 && entropy(value) >= 3,
    keep: 2,
    examples: [
      `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url")}.${Buffer.from('{"sub":"fake","iat":0}').toString("base64url")}.${filler("base62", 43)}`,
    ],
    counterexamples: ["eyes.eyelash.brow", `eyJ${filler("base62", 30)}`],
  },
  {
    id: "jwt-base64",
    class: "secret",
    title: "base64 of a JSON Web Token",
    source: "https://www.rfc-editor.org/rfc/rfc7519",
    anchors: ["zxlk"],
    pattern: /(?<![A-Za-z0-9+/])ZXlK[A-Za-z0-9+/=_-]{40,8000}/,
    accept: (value) =>
      /^ey[\w-]{10,}\.ey[\w-]{4,}/.test(Buffer.from(value.slice(0, 4000), "base64").toString("latin1")),
    examples: [
      Buffer.from(
        `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url")}.${Buffer.from('{"sub":"fake","iat":0}').toString("base64url")}.${filler("base62", 43)}`,
      ).toString("base64"),
    ],
    counterexamples: [`ZXlK${filler("base62", 60)}`],
  },
  {
    id: "aws-access-key",
    class: "secret",
    title: "AWS access key id",
    source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
    anchors: ["akia", "asia", "abia", "acca", "a3t"],
    // The key id inside a presigned URL's scope is public by design.
    pattern:
      /(?<!(?<!\\)[A-Za-z0-9]|[+/_]|-Credential=)(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9+/])/,
    accept: (value) =>
      new Set(value.slice(4)).size >= 5 && (!/^(?:ACCA|ASIA|ABIA)/.test(value) || /\d/.test(value)),
    keep: 4,
    examples: [`aws_access_key_id = AKIA${filler("UPPER", 16)}`],
    counterexamples: [`AKIA${filler("UPPER", 12)}`, "AKIAXXXXXXXXXXXXXXXX", `SAKIA${filler("UPPER", 16)}`],
  },
  {
    id: "slack-token",
    class: "secret",
    title: "Slack bot, user, legacy or session token",
    source: "https://docs.slack.dev/authentication/tokens",
    anchors: ["xoxb-", "xoxp-", "xoxa-", "xoxs-", "xoxo-", "xoxr-", "xoxc-"],
    pattern: /xox[abcoprs]-(?:\d-)?[A-Za-z0-9-]{10,250}/,
    accept: (value) =>
      digitsIn(value) >= 3 &&
      entropy(value.slice(5)) > 2 &&
      !/x{8}/i.test(value.slice(5)) &&
      !/\.{3}/.test(value),
    keep: 5,
    examples: [`xoxb-${filler("digit", 12)}-${filler("digit", 12)}-${filler("base62", 24)}`],
    counterexamples: ["xoxb-abcdef-abcdef", "xoxp-XXXXXXXXXX-XXXXXXXXXX-XXXXXXXXXX"],
  },
  {
    id: "slack-webhook",
    class: "secret",
    title: "Slack webhook URL",
    source: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    anchors: ["hooks.slack"],
    pattern: /hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9+/_-]{30,90}/,
    accept: (value) => !isStandIn(value.slice(25)),
    examples: [
      `https://hooks.slack.com/services/T${filler("UPPER", 8)}/B${filler("UPPER", 8)}/${filler("base62", 24)}`,
    ],
    counterexamples: ["https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"],
  },
  {
    id: "discord-token",
    class: "secret",
    title: "Discord bot token",
    source: "https://discord.com/developers/docs/reference#authentication",
    // base64 of a decimal number: the first four characters can only be these.
    anchors: cross(["mt", "mj", "mz", "nd", "nt", "nj", "nz", "od", "ot"], "aeimquycgk", "wxyz012345"),
    pattern: /(?<![A-Za-z0-9_.-])[MNO][A-Za-z\d][A-Za-z\d_-]{22,24}\.[\w-]{6}\.[\w-]{27,40}(?![\w.-])/,
    accept: (value) =>
      /^\d{15,20}$/.test(Buffer.from(value.split(".")[0] ?? "", "base64").toString("latin1")),
    examples: [
      `${Buffer.from(filler("digit", 18).replace(/^0/, "1")).toString("base64url")}.${filler("base62", 6)}.${filler("base62", 38)}`,
    ],
    counterexamples: [`MT${filler("base62", 22)}.${filler("base62", 6)}`],
  },
  {
    id: "discord-webhook",
    class: "secret",
    title: "Discord webhook URL",
    source: "https://discord.com/developers/docs/resources/webhook",
    anchors: ["/api/webhooks/"],
    pattern: /\/api\/webhooks\/\d{15,20}\/[\w-]{50,80}/,
    examples: [`https://discord.com/api/webhooks/${filler("digit", 18)}/${filler("base62", 68)}`],
    counterexamples: ["https://discord.com/api/webhooks/123"],
  },
  {
    id: "teams-webhook",
    class: "secret",
    title: "Microsoft Teams webhook URL",
    source:
      "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook",
    anchors: ["/incomingwebhook/"],
    pattern: /\/IncomingWebhook\/[\w-]{32}\/[\w-]{36}/,
    examples: [`https://fake.webhook.office.com/webhookb2/x/IncomingWebhook/${hex32}/${filler("hex", 36)}`],
    counterexamples: ["/IncomingWebhook/guide"],
  },
  {
    id: "telegram-token",
    class: "secret",
    title: "Telegram bot token",
    source: "https://core.telegram.org/bots/api#authorizing-your-bot",
    anchors: [":aa"],
    lead: "digit",
    pattern: /(?<![\d.])\d{8,10}:AA[\w-]{31,35}(?![\w-])/,
    examples: [`${filler("digit", 9).replace(/^0/, "1")}:AA${filler("base62", 33)}`],
    counterexamples: [`123456:AA${filler("base62", 33)}`],
  },
  {
    id: "sendgrid-key",
    class: "secret",
    title: "SendGrid key",
    source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
    anchors: ["sg."],
    pattern: /(?<!(?<!\\)[A-Za-z0-9])SG\.[\w=-]{16,32}[.=][\w=.-]{20,72}/,
    // Two parts of the vendor's lengths are a key whatever they spell; looser forms must look random.
    accept: (value) => /^SG\.[\w-]{20,24}\.[\w-]{39,50}$/.test(value) || varied(3.4)(value),
    keep: 3,
    examples: [`SG.${filler("base62", 22)}.${filler("base62", 43)}`],
    counterexamples: ["MSG.SomethingLongEnoughToBeIt.Here"],
  },
  {
    id: "azure-client-secret",
    class: "secret",
    title: "Microsoft Entra client secret",
    source: "https://learn.microsoft.com/en-us/entra/identity-platform/how-to-add-credentials",
    anchors: cross([""], "0123456789", ["q~"]),
    offset: 3,
    pattern: /(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])/,
    accept: varied(3),
    examples: [`abc8Q~${filler("base62", 34)}`],
    counterexamples: ["xxx8Q~xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"],
  },
  {
    id: "azure-devops-token",
    class: "secret",
    title: "Azure DevOps personal access token",
    source:
      "https://learn.microsoft.com/en-us/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate",
    anchors: ["azdo"],
    offset: 76,
    pattern: /(?<![A-Za-z0-9])[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?![A-Za-z0-9])/,
    examples: [`${filler("base62", 76)}AZDOAbCd`],
    counterexamples: [`${filler("base62", 40)}AZDOAbCd`],
  },
  {
    id: "azure-account-key",
    class: "secret",
    title: "Azure account, access or shared key in a connection string",
    source: "https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string",
    anchors: ["accountkey", "sharedaccesskey=", "accesskey=", ";secret=", "sharedsecretvalue="],
    pattern:
      /(?:AccountKey|SharedAccessKey|AccessKey|;Secret|SharedSecretValue)["' ]{0,3}[=:]["' ]{0,3}([A-Za-z0-9+/]{36,100}={0,2})/i,
    accept: varied(3.5),
    examples: [`AccountName=fake;AccountKey=${filler("base62", 86)}==;`],
    counterexamples: ["AccountKey=<YOUR_ACCOUNT_KEY>;"],
  },
  {
    id: "azure-key-signature",
    class: "secret",
    title: "Azure service key with its fixed marker",
    source: "https://learn.microsoft.com/en-us/purview/sit-defn-azure-storage-account-key",
    anchors: ["jqqj99"],
    offset: 52,
    pattern: /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{52}JQQJ99[A-Za-z0-9+/=]{20,30}(?![A-Za-z0-9+/])/,
    accept: varied(4),
    examples: [`${filler("base62", 52)}JQQJ99${filler("base62", 26)}`],
    counterexamples: [`${filler("base62", 20)}JQQJ99${filler("base62", 26)}`],
  },
  {
    id: "azure-sas",
    class: "secret",
    title: "Azure shared access signature",
    source: "https://learn.microsoft.com/en-us/azure/storage/common/storage-sas-overview",
    anchors: ["sig="],
    pattern: /(?<=[?&;])sig=([A-Za-z0-9%+/]{43,80}={0,2})/,
    accept: varied(3.5),
    examples: [`?sv=2024-01-01&sr=b&sig=${filler("base62", 43)}%3D`],
    counterexamples: ["?sig=short"],
  },
  {
    id: "terraform-token",
    class: "secret",
    title: "HCP Terraform token",
    source: "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
    anchors: [".atlasv1."],
    offset: 14,
    pattern: /(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}/i,
    examples: [`${filler("base62", 14)}.atlasv1.${filler("base62", 67)}`],
    counterexamples: [`x.atlasv1.${filler("base62", 10)}`],
  },
  {
    id: "doppler-service-token",
    class: "secret",
    title: "Doppler service token",
    source: "https://docs.doppler.com/reference/auth-token-formats",
    anchors: ["dp.st."],
    pattern: /dp\.st\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}/,
    keep: 6,
    examples: [`dp.st.dev.${filler("base62", 42)}`],
    counterexamples: ["dp.st.dev.short"],
  },
  {
    id: "airtable-token",
    class: "secret",
    title: "Airtable personal access token",
    source: "https://airtable.com/developers/web/api/authentication",
    anchors: ["pat"],
    pattern: /(?<!(?<!\\)[A-Za-z0-9]|_)pat[A-Za-z0-9]{14}\.[a-f0-9]{64}/,
    keep: 3,
    examples: [`pat${filler("base62", 14)}.${filler("hex", 64)}`],
    counterexamples: [`pattern.${filler("hex", 64)}`],
  },
  {
    id: "mapbox-token",
    class: "secret",
    title: "Mapbox token",
    source: "https://docs.mapbox.com/api/accounts/tokens/",
    anchors: ["pk.", "sk."],
    pattern: /(?<![\w.])[ps]k\.[A-Za-z0-9_-]{40,120}\.[A-Za-z0-9_-]{20,30}/,
    accept: varied(3.5),
    keep: 3,
    examples: [`sk.eyJ${filler("base62", 60)}.${filler("base62", 22)}`],
    counterexamples: ["pk.short.value"],
  },
  {
    id: "mailchimp-key",
    class: "secret",
    title: "Mailchimp key",
    source: "https://mailchimp.com/developer/marketing/docs/fundamentals/",
    anchors: cross(["-us"], "0123456789"),
    offset: 32,
    pattern: /(?<![A-Za-z0-9])[0-9a-f]{32}-us\d{1,2}(?!\w)/,
    accept: (value) => !isStandIn(value.slice(0, 32)),
    examples: [`${hex32}-us12`],
    counterexamples: [`${"0".repeat(32)}-us12`],
  },
  {
    id: "onepassword-secret-key",
    class: "secret",
    title: "1Password secret key",
    source: "https://support.1password.com/secret-key-security/",
    anchors: ["a3-"],
    pattern:
      /(?<![A-Za-z0-9])A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}/,
    accept: (value) => !isStandIn(value.slice(3)),
    keep: 3,
    examples: ["A3-ABC123-DEF456GHJ78-KLM90-NPQ12-RST34"],
    counterexamples: ["A3-XXXXXX-XXXXXXXXXXX-XXXXX-XXXXX-XXXXX"],
  },
  {
    id: "model-key",
    class: "secret",
    title: "Key of the `sk-` shape that many model providers use",
    source: "https://platform.openai.com/docs/api-reference/authentication",
    anchors: ["sk-"],
    pattern: /(?<!(?<!\\)[A-Za-z0-9]|[_\-.])sk-[A-Za-z0-9_-]{20,220}/,
    accept: (value) =>
      digitsIn(value) >= 3 && entropy(value) >= 3.3 && !isStandIn(value.slice(3)) && !/(.)\1{7}/.test(value),
    keep: 3,
    examples: [`sk-${filler("base62", 20)}T3BlbkFJ${filler("base62", 20)}`, `sk-${hex32}`],
    counterexamples: ["sk-folding-cube-wrapper-outer", "risk-assessment-2024-01-02-0001"],
  },
  {
    id: "password-hash",
    class: "secret",
    title: "Password hash in crypt format",
    source: "https://man7.org/linux/man-pages/man5/crypt.5.html",
    anchors: ["$apr1$", "$md5", "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$8$", "$9$", "$y$", "$argon2"],
    pattern:
      /\$(?:(?:apr)?1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}|2[aby]\$\d\d\$[./0-9A-Za-z]{53}|[56]\$(?:rounds=\d{1,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43,86}|[89]\$[./0-9A-Za-z]{14}\$[./0-9A-Za-z]{43}|y\$j[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}|md5,rounds=\d{1,9}\$[./0-9A-Za-z]{1,16}\${1,2}[./0-9A-Za-z]{22}|argon2(?:id|i|d)\$v=\d{1,3}\$m=\d{1,9},t=\d{1,4},p=\d{1,4}\$[A-Za-z0-9+/]{8,64}\$[A-Za-z0-9+/]{16,128})/,
    examples: [`$6$fakesalt$${filler("base62", 86)}`],
    counterexamples: ["cost $6$ and $5$"],
  },
  {
    id: "kerberos-hash",
    class: "secret",
    title: "Kerberos ticket hash",
    source: "https://hashcat.net/wiki/doku.php?id=example_hashes",
    anchors: ["$krb5"],
    pattern: /\$krb5(?:asrep|tgs|pa)\$\d{1,2}\$[^\s]{40,4000}/,
    examples: [`$krb5asrep$23$${hex32}$${hex32}${hex32}`],
    counterexamples: ["$krb5asrep$23$"],
  },
  {
    id: "kubernetes-bootstrap-token",
    class: "secret",
    title: "Kubernetes bootstrap token",
    source: "https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/",
    anchors: ["token"],
    pattern: /token["']?\s{0,3}[:= ]\s{0,3}["']?([a-z0-9]{6}\.[a-z0-9]{16})(?![a-z0-9])/i,
    accept: (value) => /\d/.test(value) && !isStandIn(value),
    examples: ["kubeadm join --token abc123.0123456789abcdef"],
    counterexamples: ["token: module.functionname12345x.y"],
  },
  {
    id: "wireguard-key",
    class: "secret",
    title: "WireGuard private or preshared key",
    source: "https://www.wireguard.com/quickstart/",
    anchors: ["privatekey", "presharedkey"],
    pattern: /(?:PrivateKey|PresharedKey)\s{0,4}=\s{0,4}([A-Za-z0-9+/]{43}=)/,
    examples: [`PrivateKey = ${filler("base62", 43)}=`],
    counterexamples: [`PublicKey = ${filler("base62", 43)}=`],
  },
  {
    id: "nats-seed",
    class: "secret",
    title: "NATS NKEY seed",
    source: "https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth",
    anchors: cross(["sua", "saa", "soa", "sna", "sca", "sxa"], "abcdefghijklmnop"),
    pattern: /(?<![A-Za-z0-9])S[UAONCX]A[A-P][A-Z2-7]{54}(?![A-Za-z0-9])/,
    accept: (value) => !isStandIn(value) && /[2-7]/.test(value),
    keep: 2,
    examples: [`SUAB2C3D4E5F6G7${"H2I3J4K5L6M7N2O3P4Q5R6S7T2U3V4W5X6Y7Z2A".slice(0, 39)}B2C3`],
    counterexamples: [`SUPERCALIFRAGILISTIC`],
  },
  {
    id: "bitcoin-key",
    class: "secret",
    title: "Bitcoin private key (WIF) or extended private key",
    source: "https://en.bitcoin.it/wiki/Wallet_import_format",
    anchors: ["xprv"],
    pattern: /(?<![A-Za-z0-9])xprv[1-9A-HJ-NP-Za-km-z]{100,112}(?![A-Za-z0-9])/,
    keep: 4,
    examples: [`xprv9${filler("base62", 106).replace(/[0OIl]/g, "z")}`],
    counterexamples: ["xprv is the prefix of extended private keys"],
  },
  {
    id: "url-password",
    class: "secret",
    title: "Password in a URL's user information",
    source: "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
    anchors: ["://"],
    // Starts at the scheme's separator: the scheme needs no reading.
    pattern: /:\/\/[^\s:@/"'`<>\\{}$]{0,80}:([^\s@/"'`<>\\{}$]{3,160})@[A-Za-z0-9[\-_.$%{<]/,
    // The words of documentation, and a port that looks like one.
    accept: (value) =>
      !STAND_IN_PASSWORD.test(value) && !/^(?:\w{0,8}_?pass|pwd|password)\d?$|^\d{1,5}[?#]?$/i.test(value),
    examples: ["postgres://svc:n0t-a-real-One@db.internal/app"],
    counterexamples: ["https://user:$PASSWORD@host", "http://host:8080/x@y", "amqp://user:*****@example.com"],
  },
  {
    id: "psexec-password",
    class: "secret",
    title: "Password given to PsExec",
    source: "https://learn.microsoft.com/en-us/sysinternals/downloads/psexec",
    anchors: ["psexec"],
    pattern: /psexec[^\n]{0,160}? -u [^\n]{1,80}? -p ([^\s"']{4,80})/i,
    accept: (value) => !STAND_IN_PASSWORD.test(value),
    examples: ["psexec \\\\192.0.2.7 -u Admin -p n0t-a-real-One cmd"],
    counterexamples: ["psexec -u User -p $Password -i", "psexec \\\\host cmd"],
  },
  {
    id: "salesforce-token",
    class: "secret",
    title: "Salesforce session token",
    source: "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/quickstart_oauth.htm",
    anchors: ["00d"],
    pattern: /(?<![A-Za-z0-9])00[A-Za-z0-9]{13,16}![A-Za-z0-9._]{80,140}/,
    examples: [`00D${filler("base62", 12)}!${filler("base62", 96)}`],
    counterexamples: [`00D${filler("base62", 12)}!short`],
  },
  {
    id: "zoho-token",
    class: "secret",
    title: "Zoho OAuth token",
    source: "https://www.zoho.com/crm/developer/docs/api/v8/access-refresh.html",
    anchors: ["1000."],
    pattern: /(?<![\d.])1000\.[0-9a-f]{32}\.[0-9a-f]{32}(?![0-9a-f])/,
    keep: 5,
    examples: [`1000.${hex32}.${hex32}`],
    counterexamples: ["1000.0", `1000.${hex32}`],
  },
  {
    id: "maxmind-key",
    class: "secret",
    title: "MaxMind licence key",
    source: "https://support.maxmind.com/hc/en-us/articles/4407111582235-Generate-a-License-Key",
    anchors: ["_mmk"],
    offset: 36,
    pattern: /(?<![A-Za-z0-9_])[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk(?![A-Za-z0-9_])/,
    examples: [`${filler("base62", 6)}_${filler("base62", 29)}_mmk`],
    counterexamples: ["kernel_mmk"],
  },
  {
    id: "pubnub-key",
    class: "secret",
    title: "PubNub key",
    source: "https://www.pubnub.com/docs/general/setup/account-setup",
    anchors: ["sec-c-", "pub-c-", "sub-c-"],
    pattern:
      /(?<![A-Za-z0-9])(?:sec-c-[A-Za-z0-9]{40,60}|(?:pub|sub)-c-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})/,
    keep: 6,
    examples: [`sec-c-${filler("base62", 48)}`],
    counterexamples: ["sub-c-ommand"],
  },
  {
    id: "tines-webhook",
    class: "secret",
    title: "Tines webhook URL",
    source: "https://www.tines.com/docs/actions/types/webhook/",
    anchors: [".tines.com/webhook/"],
    pattern: /\.tines\.com\/webhook\/[0-9a-f]{32}\/([0-9a-f]{32})/,
    examples: [`https://fake.tines.com/webhook/${hex32}/${hex32}`],
    counterexamples: ["https://fake.tines.com/webhook/docs"],
  },
  {
    id: "kubernetes-secret",
    class: "secret",
    title: "Values of a Kubernetes Secret manifest",
    source: "https://kubernetes.io/docs/concepts/configuration/secret/",
    on: {
      anchors: ["kind: secret", "kind: 'secret'", 'kind: "secret"', '"kind":"secret"', '"kind": "secret"'],
    },
    read: readSecretManifest,
    examples: [
      `apiVersion: v1\nkind: Secret\nmetadata:\n  name: fake\ndata:\n  password: ${filler("base62", 24)}\n`,
      `apiVersion: v1\ndata:\n  .dockercfg: |\n    ${filler("base62", 24)}\nkind: Secret\n`,
    ],
    counterexamples: [
      'apiVersion: v1\nkind: Secret\nmetadata:\n  name: fake\ndata:\n  htpasswd: ""\n',
      "apiVersion: v1\nkind: SecretStore\ndata:\n  name: x\n",
      "kind: Secret\ndata:\n  password: {{ .Values.password }}\n",
    ],
  },
  {
    id: "connection-string-password",
    class: "secret",
    title: "Password in an ODBC, ADO or libpq connection string",
    source: "https://learn.microsoft.com/en-us/dotnet/framework/data/adonet/connection-string-syntax",
    anchors: ["uid=", "user id=", "user=", "username=", "userid="],
    pattern:
      /(?:Uid|User ?Id|User(?:name)?) {0,2}=[^;\n"'&]{1,80}["';&+ ]{1,8}(?:[\w ]{1,40}=[^;\n"'&]{0,80};){0,4}? {0,2}(?:Pwd|Password) {0,2}= {0,2}([^;\n"'&\s]{3,120})/i,
    accept: (value) => !STAND_IN_PASSWORD.test(value) && !/^#+$/.test(value),
    examples: ["Server=db;Database=x;Uid=svc;Pwd=n0t-a-real-One;"],
    counterexamples: ["user = params[:user]; password = $PASSWORD", "User ID=<user>;Password=<password>;"],
  },
  {
    id: "client-side-password",
    class: "secret",
    title: "Password that a build puts into the browser's code",
    source: "https://create-react-app.dev/docs/adding-custom-environment-variables/",
    anchors: ["react_app_", "vite_", "next_public_"],
    pattern:
      /(?:REACT_APP|VITE|NEXT_PUBLIC)_(?:[A-Z0-9_]{0,60}_)?PASS(?:WORD|WD)?[ \t]{0,2}=[ \t]{0,2}["']?([^\s"'$<{/][^\s"']{3,120})/,
    accept: (value) => !STAND_IN_PASSWORD.test(value),
    examples: ["REACT_APP_AUTH_PASS=n0t-a-real-One"],
    counterexamples: ["REACT_APP_PASSWORD=$PASSWORD", "REACT_APP_PASSPORT=strategy"],
  },
  {
    id: "network-credential",
    class: "secret",
    title: "Literal password given to a credential constructor",
    source: "https://learn.microsoft.com/en-us/dotnet/api/system.net.networkcredential",
    anchors: ["networkcredential(", "directoryentry("],
    pattern:
      /(?:NetworkCredential|DirectoryEntry)\((?:\s{0,20}"LDAP:[^"\n]{0,120}",)?\s{0,20}"[^"\n]{1,80}",\s{0,20}"([^"\n]{4,120})"/,
    accept: (value) => !STAND_IN_PASSWORD.test(value),
    examples: ['new NetworkCredential("svc@fake.invalid", "n0t-a-real-One");'],
    counterexamples: ["new NetworkCredential(user, password)", 'new NetworkCredential("a", "<password>")'],
  },
  {
    id: "vault-unseal-key",
    class: "secret",
    title: "HashiCorp Vault unseal key",
    source: "https://developer.hashicorp.com/vault/docs/concepts/seal",
    anchors: ["unseal "],
    pattern: /unseal (?:key \d{1,2}: )?([A-Za-z0-9+/]{43,44}=?)(?![A-Za-z0-9+/])/i,
    accept: varied(4),
    examples: [`Unseal Key 1: ${filler("base62", 44)}`],
    counterexamples: ["vault operator unseal now"],
  },
  {
    id: "truenas-key",
    class: "secret",
    title: "TrueNAS key",
    source: "https://www.truenas.com/docs/scale/scaleuireference/toptoolbar/managingapikeys/",
    anchors: ["login_with_api_key"],
    pattern:
      /login_with_api_key"[^\n]{0,8}\s{0,20}"params"\s{0,4}:\s{0,4}\[\s{0,20}"(\d{1,4}-[A-Za-z0-9]{60,70})"/,
    examples: [`"method":"auth.login_with_api_key", "params" : ["9-${filler("base62", 64)}"]`],
    counterexamples: ["auth.login_with_api_key"],
  },
  {
    id: "thingsboard-token",
    class: "secret",
    title: "ThingsBoard device token in a URL",
    source: "https://thingsboard.io/docs/reference/http-api/",
    anchors: ["/api/v1/"],
    pattern: /\/api\/v1\/([A-Za-z0-9]{20})\/(?:telemetry|attributes|rpc)/,
    accept: (value) => /\d/.test(value),
    examples: [`coap://fake.invalid/api/v1/${filler("lower", 20)}/telemetry`],
    counterexamples: ["/api/v1/organisationsettings/telemetry"],
  },
  {
    id: "netrc-password",
    class: "secret",
    title: "Password in a netrc line",
    source: "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
    anchors: ["machine ", "machine\t"],
    pattern: /machine\s{1,4}[\w.-]{3,120}\s{1,8}login\s{1,8}\S{1,120}\s{1,8}password\s{1,8}(\S{4,160})/,
    accept: (value) => !STAND_IN_PASSWORD.test(value),
    examples: ["machine api.fake.invalid login ziggy password 012345abcdef"],
    counterexamples: ["machine learning, login page and password reset"],
  },
  {
    id: "curl-user",
    class: "secret",
    title: "Credential given to curl",
    source: "https://curl.se/docs/manpage.html#-u",
    anchors: ["curl "],
    pattern:
      /curl [^|;]{0,400}?(?<=\s)(?:-u|--user|--proxy-user)[ =]{0,2}(?:"[^"\n:$<{]{0,120}:([^"\n$<{}]{3,160})"|'[^'\n:$<{]{0,120}:([^'\n$<{}]{3,160})'|[^\s:"'$<{]{0,120}:([^\s"'$<{}]{3,160}))/,
    accept: (value) => !STAND_IN_PASSWORD.test(value),
    examples: [
      "curl -k \\\n -u dev:n0t-a-real-One https://api.fake.invalid",
      "curl -u fake:n0t-a-real-One https://api.fake.invalid",
    ],
    counterexamples: [
      'curl -u "$USER:$PASSWORD" https://api.fake.invalid',
      "curl -u <user:password> https://x.invalid",
    ],
  },
];

export const CREDENTIALS: Family = {
  name: "structured credentials",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: credentials,
};
