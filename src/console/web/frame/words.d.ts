import type agents from "../words/en/agents.json";
import type approvals from "../words/en/approvals.json";
import type destinations from "../words/en/destinations.json";
import type disclosures from "../words/en/disclosures.json";
import type exposure from "../words/en/exposure.json";
import type flows from "../words/en/flows.json";
import type frame from "../words/en/frame.json";
import type health from "../words/en/health.json";
import type ledger from "../words/en/ledger.json";
import type policy from "../words/en/policy.json";
import type sessions from "../words/en/sessions.json";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "frame";
    resources: {
      agents: typeof agents;
      approvals: typeof approvals;
      destinations: typeof destinations;
      disclosures: typeof disclosures;
      exposure: typeof exposure;
      flows: typeof flows;
      frame: typeof frame;
      health: typeof health;
      ledger: typeof ledger;
      policy: typeof policy;
      sessions: typeof sessions;
    };
  }
}
