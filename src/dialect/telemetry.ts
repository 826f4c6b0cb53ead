/**
 * Telemetry, told by where it goes and by what it looks like: OTLP/JSON (opentelemetry.io/docs/specs/otlp), Statsig,
 * Sentry envelopes (develop.sentry.dev/sdk/data-model/envelopes), Segment, PostHog, Amplitude, Datadog, and the event
 * logs of agents' vendors as measured in November 2026. No promise that every vendor is known: what is not recognised
 * here is opaque, and is inspected all the same.
 */
import { type Protocol, whole } from "./protocol.ts";

export const telemetry: Protocol = {
  name: "telemetry",
  demands: [],
  cut: (_, value) => whole(value, "metadata"),
};

const HOSTS =
  /(^|\.)(statsig(api)?\.(com|net)|statsigapi\.net|featuregates\.org|featureassets\.org|prodregistryv2\.org|sentry\.io|segment\.(io|com)|posthog\.com|amplitude\.com|mixpanel\.com|datadoghq\.(com|eu)|launchdarkly\.com|rum\.aliyuncs\.com|honeycomb\.io|applicationinsights\.azure\.com|bugsnag\.com|rollbar\.com|newrelic\.com|nr-data\.net|google-analytics\.com|app-measurement\.com)$|^copilot-telemetry\.githubusercontent\.com$|^browser-intake-|^dc\.services\.visualstudio\.com$|^statsig\.|(^|\.)(events\.data\.microsoft\.com|exp-tas\.com)$|^firebaselogging(-pa)?\.googleapis\.com$/;
/** Names people give such hosts: believed only when nothing else tells what a request is. */
const LIKELY_HOSTS = /^(otel|otlp|telemetry|metrics|data|events|stats)[.-]/;
const PATHS =
  /^\/(api\/(event_logging|eval\/sdk-|claude_code\/metrics|claude_cli_feedback|telemetry)|otlp\/|telemetry\b|2\/(httpapi|batch)$)|\/v1\/(traces|metrics|logs)$|^\/api\/\d+\/(envelope|store|minidump|security)\/?$|\/v1\/(rgstr|log_event|sdk_exception)$|\/analytics-events\b|\.(AnalyticsService|MetricsService|TelemetryService)\//;
const SEGMENT = /^\/v1\/(batch|track|identify|page|screen|group|alias|import|[tipgasm])$/;

export const isTelemetryTarget = (host: string, path: string): boolean =>
  HOSTS.test(host) ||
  PATHS.test(path) ||
  (SEGMENT.test(path) && /segment|events?\b/.test(host)) ||
  (host === "play.googleapis.com" && path === "/log");

export const isLikelyTelemetryHost = (host: string): boolean => LIKELY_HOSTS.test(host);

/** By shape: what no model protocol looks like. */
export function isTelemetryBody(members: ReadonlySet<string>): boolean {
  for (const name of [
    "resourceSpans",
    "resourceMetrics",
    "resourceLogs",
    "resource_spans",
    "writeKey",
    "statsigMetadata",
  ])
    if (members.has(name)) return true;
  return (
    members.has("events") &&
    (members.has("statsigMetadata") || members.has("sent_at") || members.has("sdkInfo"))
  );
}
