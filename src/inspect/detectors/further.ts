/**
 * Credentials of services that came up later than those of tokens.ts, or that few use; and some whose format is made of
 * parts. A row says what the vendor's documentation says; where that only shows an example, lengths are lower bounds.
 */
import { type Detector, type Family, filler, isStandIn, OWN_LICENCE, token } from "../detector.ts";

const hasDigit = (text: string): boolean => /\d/.test(text);
/** What a name seldom is: both cases and a figure. */
const random = (text: string): boolean => hasDigit(text) && /[a-z]/.test(text) && /[A-Z]/.test(text);

const uuid = `${filler("hex", 8)}-3b1d-4c2e-9a8f-${filler("hex", 12)}`;
const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

const simple: readonly Parameters<typeof token>[0][] = [
  {
    id: "logfire-token",
    title: "Logfire write or read token",
    prefixes: ["pylf_v1_us_", "pylf_v1_eu_"],
    ...{ body: "base62", from: 40, to: 64 },
    source: "https://logfire.pydantic.dev/docs/how-to-guides/create-write-tokens/",
  },
  {
    id: "axiom-token",
    title: "Axiom API or personal token",
    prefixes: ["xaat-", "xapt-"],
    ...{ body: "url", from: 36, to: 36 },
    source: "https://axiom.co/docs/reference/tokens",
  },
  {
    id: "inngest-key",
    title: "Inngest signing key",
    prefixes: ["signkey-prod-", "signkey-test-", "signkey-branch-"],
    ...{ body: "anyHex", from: 32, to: 128 },
    source: "https://www.inngest.com/docs/platform/signing-keys",
  },
  {
    id: "trigger-key",
    title: "Trigger.dev key",
    prefixes: ["tr_dev_", "tr_prod_", "tr_stg_", "tr_pat_"],
    ...{ body: "base62", from: 20, to: 48, accept: hasDigit },
    source: "https://trigger.dev/docs/apikeys",
  },
  {
    id: "llamacloud-key",
    title: "LlamaCloud key",
    prefixes: ["llx-"],
    ...{ body: "base62", from: 40, to: 64, accept: random },
    source: "https://docs.cloud.llamaindex.ai/api_key",
  },
  {
    id: "browserbase-key",
    title: "Browserbase key",
    prefixes: ["bb_live_"],
    ...{ body: "url", from: 24, to: 48, accept: hasDigit },
    source: "https://docs.browserbase.com/introduction/getting-started",
  },
  {
    id: "daytona-key",
    title: "Daytona key",
    prefixes: ["dtn_"],
    ...{ body: "hex", from: 64, to: 64 },
    source: "https://www.daytona.io/docs/en/api-keys/",
  },
  {
    id: "voyage-key",
    title: "Voyage AI key",
    prefixes: ["pa-"],
    ...{ body: "url", from: 43, to: 43, accept: random },
    source: "https://docs.voyageai.com/docs/api-key-and-installation",
  },
  {
    id: "anyscale-key",
    title: "Anyscale key",
    prefixes: ["esecret_"],
    ...{ body: "base62", from: 24, to: 48, accept: hasDigit },
    source: "https://docs.anyscale.com/platform/workspaces/",
  },
  {
    id: "xata-key",
    title: "Xata key",
    prefixes: ["xau_"],
    ...{ body: "base62", from: 28, to: 64, accept: hasDigit },
    source: "https://xata.io/docs/getting-started/cli",
  },
  {
    id: "datadog-app-key",
    title: "Datadog application key",
    prefixes: ["ddapp_"],
    ...{ body: "base62", from: 34, to: 34 },
    source: "https://docs.datadoghq.com/account_management/api-app-keys/",
  },
  {
    id: "confluent-secret",
    title: "Confluent Cloud API secret",
    prefixes: ["cflt"],
    ...{ body: "base64", from: 60, to: 60, accept: random },
    source:
      "https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/service-accounts/api-keys/overview.html",
  },
  {
    id: "intercom-token",
    title: "Intercom access token",
    prefixes: ["dG9rOj"],
    ...{ body: "base64", from: 50, to: 60 },
    source: "https://developers.intercom.com/docs/build-an-integration/learn-more/authentication",
  },
  {
    id: "stytch-secret",
    title: "Stytch project secret",
    prefixes: ["secret-live-", "secret-test-"],
    ...{ body: "padded", from: 36, to: 40, accept: hasDigit },
    source: "https://stytch.com/docs/api/authentication",
  },
  {
    id: "tinybird-token",
    title: "Tinybird token",
    prefixes: ["p.eyJ"],
    ...{ body: "any", from: 60, to: 300 },
    source: "https://www.tinybird.co/docs/forward/administration/tokens",
  },
  {
    id: "modal-token",
    title: "Modal token id or secret",
    prefixes: ["ak-", "as-"],
    ...{ body: "base62", from: 22, to: 22, accept: random },
    source: "https://modal.com/docs/reference/modal.config",
  },
  {
    id: "braintrust-key",
    title: "Braintrust service token",
    prefixes: ["bt-st-"],
    ...{ body: "base62", from: 40, to: 64 },
    source: "https://www.braintrust.dev/docs/guides/api",
  },
  {
    id: "friendli-token",
    title: "Friendli token",
    prefixes: ["flp_"],
    ...{ body: "base62", from: 40, to: 64, accept: random },
    source: "https://friendli.ai/docs/guides/suite/personal-access-tokens",
  },
  {
    id: "socket-key",
    title: "Socket key",
    prefixes: ["sktsec_"],
    ...{ body: "word", from: 40, to: 80 },
    source: "https://docs.socket.dev/reference/creating-and-managing-api-tokens",
  },
  {
    id: "depot-token",
    title: "Depot token",
    prefixes: ["depot_org_", "depot_project_", "depot_user_"],
    ...{ body: "anyHex", from: 48, to: 128 },
    source: "https://depot.dev/docs/cli/authentication",
  },
  {
    id: "plane-key",
    title: "Plane key",
    prefixes: ["plane_api_"],
    ...{ body: "hex", from: 32, to: 32 },
    source: "https://developers.plane.so/api-reference/introduction",
  },
  {
    id: "cal-key",
    title: "Cal.com key",
    prefixes: ["cal_live_", "cal_test_"],
    ...{ body: "hex", from: 32, to: 32 },
    source: "https://cal.com/docs/api-reference/v2/introduction",
  },
  {
    id: "coze-token",
    title: "Coze token",
    prefixes: ["pat_", "sat_"],
    ...{ body: "base62", from: 64, to: 64, accept: random },
    source: "https://www.coze.com/docs/developer_guides/pat",
  },
  {
    id: "dify-key",
    title: "Dify app or knowledge key",
    prefixes: ["app-", "dataset-"],
    ...{ body: "base62", from: 24, to: 24, accept: random },
    source: "https://docs.dify.ai/en/guides/application-publishing/developing-with-apis",
  },
  {
    id: "volcengine-access-key",
    title: "Volcengine or Kingsoft Cloud access key",
    prefixes: ["AKLT"],
    ...{ body: "base62", from: 20, to: 60, accept: random },
    source: "https://www.volcengine.com/docs/6291/65568",
  },
  {
    id: "jdcloud-access-key",
    title: "JD Cloud access key",
    prefixes: ["JDC_"],
    ...{ body: "UPPER", from: 28, to: 32, accept: hasDigit },
    source: "https://docs.jdcloud.com/cn/account-management/accesskey-management",
  },
  {
    id: "helicone-key",
    title: "Helicone key",
    prefixes: ["sk-helicone-", "pk-helicone-"],
    ...{ body: "url", from: 20, to: 64, accept: hasDigit },
    source: "https://docs.helicone.ai/helicone-headers/helicone-auth",
  },
];

const webhook = (
  id: string,
  title: string,
  path: string,
  body: string,
  key: string,
  source: string,
): Detector => ({
  ...{ id, class: "secret", title, source, anchors: [path] },
  pattern: new RegExp(`${path.replace(/[/?.]/g, "\\$&")}(${body})(?![0-9A-Za-z])`),
  accept: (value) => !isStandIn(value),
  examples: [`post("https://chat.example${path}${key}", text)`],
  counterexamples: [`${path}YOUR_KEY`, `${path}${"x".repeat(key.length)}`],
});

const parted: readonly Detector[] = [
  webhook(
    "feishu-webhook",
    "Feishu or Lark bot webhook",
    "/open-apis/bot/v2/hook/",
    UUID,
    uuid,
    "https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot",
  ),
  webhook(
    "wecom-webhook",
    "WeCom bot webhook",
    "/cgi-bin/webhook/send?key=",
    UUID,
    uuid,
    "https://developer.work.weixin.qq.com/document/path/91770",
  ),
  webhook(
    "dingtalk-webhook",
    "DingTalk bot webhook",
    "/robot/send?access_token=",
    "[0-9a-f]{64}",
    filler("hex", 64),
    "https://open.dingtalk.com/document/robots/custom-robot-access",
  ),
  {
    ...{ id: "llama-api-key", class: "secret", title: "Llama API key", anchors: ["llm|"] },
    source: "https://llama.developer.meta.com/docs/api-keys/",
    pattern: /(?<![A-Za-z0-9])LLM\|\d{10,20}\|[A-Za-z0-9_-]{20,40}/,
    examples: [`key = "LLM|1234567890123456|${filler("url", 27)}"`],
    counterexamples: ["LLM|provider|model", "| LLM|12|x |"],
  },
  {
    ...{ id: "convex-deploy-key", class: "secret", title: "Convex deploy key" },
    source: "https://docs.convex.dev/cli/deploy-key-types",
    anchors: ["prod:", "dev:", "preview:"],
    pattern: /(?<![A-Za-z0-9])(?:prod|dev|preview):[a-z]{2,20}-[a-z]{2,20}-\d{1,5}\|[A-Za-z0-9+/=]{40,300}/,
    accept: (value) => !isStandIn(value.slice(value.indexOf("|"))),
    examples: [`CONVEX_DEPLOY_KEY="prod:happy-otter-123|${filler("base64", 80)}"`],
    counterexamples: ["prod:happy-otter-123|short", "dev: npm run dev|tee log"],
  },
  {
    ...{ id: "okta-token", class: "secret", title: "Okta API token", anchors: ["ssws 00"] },
    source: "https://developer.okta.com/docs/guides/create-an-api-token/main/",
    pattern: /SSWS (00[\w-]{40})(?![\w-])/,
    accept: (value) => !isStandIn(value.slice(2)),
    examples: [`Authorization: SSWS 00${filler("url", 40)}`],
    counterexamples: [`Authorization: SSWS 00${"x".repeat(40)}`, "Authorization: SSWS {token}"],
  },
  {
    ...{ id: "infisical-token", class: "secret", title: "Infisical service token" },
    source: "https://infisical.com/docs/documentation/platform/token",
    anchors: [..."0123456789abcdef"].map((digit) => `st.${digit}`),
    pattern: /(?<![A-Za-z0-9_.])st\.[0-9a-f-]{24,36}\.[0-9a-f]{32}\.[0-9a-f]{32}(?![0-9a-f])/,
    examples: [`token = "st.${filler("hex", 24)}.${filler("hex", 32)}.${filler("hex", 32)}"`],
    counterexamples: [`st.${filler("hex", 24)}.${filler("hex", 30)}`, "the last.of.these"],
  },
  {
    ...{ id: "jetbrains-token", class: "secret", title: "YouTrack or Hub permanent token" },
    source: "https://www.jetbrains.com/help/youtrack/devportal/Manage-Permanent-Token.html",
    anchors: ["perm:", "perm-"],
    pattern:
      /(?<![A-Za-z0-9])perm[:-][A-Za-z0-9=+/]{4,60}\.[A-Za-z0-9=+/-]{4,60}\.[A-Za-z0-9]{24,40}(?![A-Za-z0-9])/,
    accept: (value) => !isStandIn(value.slice(value.lastIndexOf(".") + 1)),
    examples: [`Bearer perm:YWRtaW4=.VG9rZW4=.${filler("base62", 30)}`],
    counterexamples: ["perm:read.write.execute", `perm:YWRtaW4=.VG9rZW4=.${"x".repeat(30)}`],
  },
  {
    ...{ id: "adyen-key", class: "secret", title: "Adyen API key", anchors: ["aqe"] },
    source: "https://docs.adyen.com/development-resources/api-credentials/",
    pattern:
      /(?<![A-Za-z0-9+/])AQE[a-z]h[a-z][A-Za-z0-9+/]{50,140}={0,2}-[A-Za-z0-9+/]{30,60}={0,2}-[!-~]{10,20}/,
    examples: [`key = "AQEyhm${filler("base62", 88)}==-${filler("base62", 43)}=-${filler("base62", 16)}"`],
    counterexamples: [`AQEyhm${filler("base62", 88)}`, "AQEBBQADggEPADCCAQoCggEBA"],
  },
  {
    ...{ id: "pgpass-password", class: "secret", title: "Password of a .pgpass line", anchors: [":5432:"] },
    source: "https://www.postgresql.org/docs/current/libpq-pgpass.html",
    lead: "host",
    pattern: /[\w.*-]{1,100}:5432:[\w*.-]{1,64}:[\w.*-]{1,64}:([^\s:"'`,;{}<>$]{6,80})(?=\s|$)/,
    accept: (value) => !isStandIn(value) && !/^(?:password|secret|changeme|\*+|x+)$/i.test(value),
    examples: ["db.example.com:5432:shop:admin:Tr0ub4dor&3\n"],
    counterexamples: ["db.example.com:5432:shop:admin:password\n", "ports: 127.0.0.1:5432:5432"],
  },
];

export const FURTHER: Family = {
  name: "further services",
  written: "2026-11-30",
  licence: OWN_LICENCE,
  detectors: [...simple.map(token), ...parted],
};
