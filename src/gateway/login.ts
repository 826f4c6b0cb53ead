/**
 * Whether a credential in a field for credentials is a login: sent to the place that it belongs to. Then it is what the
 * destination is to have, no finding and no value to keep from it. Anywhere else it is a secret on its way out.
 *
 * A key whose vendor is known by its form belongs to that vendor's hosts alone. One that any server may have issued
 * belongs to hosts that somebody has named: the register, or the policy's network rules (a rule for every host names
 * none). A sentinel is the custody's business.
 */
import type { Target } from "./exchange.ts";
import { pathOf } from "./judge.ts";
import type { Belongs, Sitting } from "./session.ts";

/** By detector: hosts and what is below them. From the vendors' public API references. */
const HOMES: Readonly<Record<string, string>> = {
  "github-token":
    "github.com githubcopilot.com githubusercontent.com ghcr.io ghe.com pkg.github.com models.github.ai copilot-proxy.githubusercontent.com",
  "npm-token": "npmjs.org npmjs.com",
  "huggingface-token": "huggingface.co hf.co",
  "anthropic-key": "anthropic.com claude.com claude.ai",
  "openrouter-key": "openrouter.ai",
  "openai-project-key": "openai.com chatgpt.com",
  "groq-key": "groq.com",
  "xai-key": "x.ai",
  "perplexity-key": "perplexity.ai",
  "replicate-token": "replicate.com replicate.delivery",
  "cerebras-key": "cerebras.ai",
  "nvidia-key": "nvidia.com",
  "cursor-key": "cursor.sh cursor.com",
  "fireworks-key": "fireworks.ai",
  "google-ai-key": "googleapis.com google.com",
  "google-api-key": "googleapis.com google.com",
  "google-oauth-token": "googleapis.com google.com",
  "google-refresh-token": "googleapis.com google.com",
  "aws-access-key": "amazonaws.com amazonaws.com.cn api.aws on.aws",
  "aws-session-token": "amazonaws.com amazonaws.com.cn api.aws on.aws",
  "aws-bedrock-key": "amazonaws.com amazonaws.com.cn api.aws",
  "aws-bedrock-session-key": "amazonaws.com amazonaws.com.cn api.aws",
  "alibaba-access-key": "aliyuncs.com",
  "pypi-token": "pypi.org",
  "rubygems-key": "rubygems.org",
  "crates-token": "crates.io",
  "docker-token": "docker.com docker.io",
  "stripe-key": "stripe.com",
  "slack-token": "slack.com",
  "slack-app-token": "slack.com",
  "sendgrid-key": "sendgrid.com",
  "linear-key": "linear.app",
  "notion-token": "notion.com notion.so",
  "figma-token": "figma.com",
  "sentry-token": "sentry.io",
  "sentry-user-token": "sentry.io",
};

export function loginsOf(target: Target, { session, rules, custody }: Sitting): Belongs {
  const { host, port } = target;
  const { connection } = rules.now();
  let named: boolean | null = null;
  const isNamed = (): boolean => {
    named ??=
      session.label(host, port, pathOf(target)).destination !== null ||
      (connection(host, port).verdict === "allow" && connection(NOBODY, port).verdict === "deny");
    return named;
  };
  return (detector, text) => {
    if (custody.isSentinel(text)) return true;
    const homes = HOMES[detector];
    return homes === undefined
      ? isNamed()
      : homes.split(" ").some((home) => host === home || host.endsWith(`.${home}`));
  };
}

/** A name that no rule can have in mind. */
const NOBODY = "named-by-no-rule.invalid";
