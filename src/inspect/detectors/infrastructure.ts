/**
 * Names of an organisation's own resources: no secret, but telling. A policy may send them, redact them or not; by
 * default they are only counted.
 */
import { type Detector, type Family, OWN_LICENCE } from "../detector.ts";

const tenant = (id: string, title: string, suffix: string, source: string): Detector => ({
  id,
  class: "infrastructure",
  title,
  source,
  anchors: [suffix],
  lead: "host",
  pattern: new RegExp(
    `(?<![A-Za-z0-9-])[A-Za-z0-9][A-Za-z0-9-]{0,62}${suffix.replace(/\./g, "\\.")}(?![A-Za-z0-9-])`,
    "i",
  ),
  accept: (value) => !/^(?:www|docs|api|example|your|my|status|help|support|developer|app)\./i.test(value),
  examples: [`https://fake-tenant${suffix}/x`],
  counterexamples: [`https://docs${suffix}/x`],
});

export const INFRASTRUCTURE: Family = {
  name: "infrastructure",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [
    tenant("host-shopify", "Shopify shop", ".myshopify.com", "https://shopify.dev/docs"),
    tenant("host-jfrog", "JFrog platform", ".jfrog.io", "https://jfrog.com/help/"),
    tenant("host-okta", "Okta organisation", ".okta.com", "https://developer.okta.com/docs/"),
    tenant("host-snowflake", "Snowflake account", ".snowflakecomputing.com", "https://docs.snowflake.com/"),
    tenant(
      "host-salesforce",
      "Salesforce instance",
      ".salesforce.com",
      "https://developer.salesforce.com/docs/",
    ),
    tenant(
      "host-databricks",
      "Databricks workspace",
      ".cloud.databricks.com",
      "https://docs.databricks.com/",
    ),
    tenant(
      "host-azure-openai",
      "Azure OpenAI resource",
      ".openai.azure.com",
      "https://learn.microsoft.com/azure/ai-services/openai/",
    ),
    tenant("host-atlassian", "Atlassian site", ".atlassian.net", "https://developer.atlassian.com/cloud/"),
    tenant("host-supabase", "Supabase project", ".supabase.co", "https://supabase.com/docs"),
    tenant("host-tableau", "Tableau site", ".online.tableau.com", "https://help.tableau.com/"),
    tenant(
      "google-client-id",
      "Google OAuth client id",
      ".apps.googleusercontent.com",
      "https://developers.google.com/identity/protocols/oauth2",
    ),
    {
      id: "aws-arn",
      class: "infrastructure",
      title: "AWS resource name",
      source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
      anchors: ["arn:aws"],
      pattern:
        /(?<![A-Za-z0-9])arn:aws(?:-cn|-us-gov)?:[a-z0-9-]{2,32}:[a-z0-9-]{0,24}:(?:\d{12})?:[A-Za-z0-9_/:*.{}$+=,@-]{2,256}/,
      examples: ["arn:aws:iam::123456789012:user/fake"],
      counterexamples: ["arn:aws is the prefix"],
    },
    {
      id: "aws-s3-bucket",
      class: "infrastructure",
      title: "S3 bucket",
      source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html",
      anchors: [".s3.amazonaws.com", ".s3-"],
      lead: "host",
      pattern:
        /(?<![A-Za-z0-9-])[A-Za-z0-9][A-Za-z0-9.-]{1,62}\.s3(?:[.-][a-z]{2}-[a-z]{4,9}-\d)?\.amazonaws\.com/,
      examples: ["http://fake-bucket.s3.amazonaws.com/x"],
      counterexamples: ["s3.amazonaws.com"],
    },
    {
      id: "aws-s3-path",
      class: "infrastructure",
      title: "S3 bucket, named in a path",
      source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html",
      anchors: ["://s3.", "://s3-"],
      pattern:
        /:\/\/s3[.-](?:[a-z]{2}-[a-z]{4,9}(?:-[a-z]{4,9})?-\d\.)?amazonaws\.com\/[a-z0-9][a-z0-9.-]{2,62}/,
      examples: ["http://s3-us-east-2.amazonaws.com/fake-bucket"],
      counterexamples: ["https://s3.amazonaws.com/"],
    },
    {
      id: "gcs-bucket",
      class: "infrastructure",
      title: "Google Cloud Storage bucket",
      source: "https://cloud.google.com/storage/docs/request-endpoints",
      anchors: ["storage.googleapis.com/"],
      pattern: /storage\.googleapis\.com\/[a-z0-9][a-z0-9._-]{2,62}/,
      examples: ["https://storage.googleapis.com/fake_bucket/object"],
      counterexamples: ["storage.googleapis.com/"],
    },
  ],
};
