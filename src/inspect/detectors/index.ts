/** The built-in pack. Order is rank: where findings overlap, the more specific family names the finding. */
import type { Detector, Family, Reader } from "../detector.ts";
import { ASSIGNED_CREDENTIALS } from "./assigned.ts";
import { CREDENTIALS } from "./credentials.ts";
import { DISGUISED } from "./disguised.ts";
import { FURTHER } from "./further.ts";
import { INFRASTRUCTURE } from "./infrastructure.ts";
import { INJECTIONS } from "./injection.ts";
import { MARKS } from "./marks.ts";
import { PERSONAL } from "./personal.ts";
import { CLOUDS, GITHUB, MESSAGING, MODEL_PROVIDERS, PAYMENTS, SERVICES, SOURCE_HOSTS } from "./tokens.ts";
import { WALLETS } from "./wallets.ts";

export const FAMILIES: readonly Family[] = [
  GITHUB,
  MODEL_PROVIDERS,
  CLOUDS,
  SOURCE_HOSTS,
  PAYMENTS,
  MESSAGING,
  SERVICES,
  FURTHER,
  CREDENTIALS,
  WALLETS,
  DISGUISED,
  ASSIGNED_CREDENTIALS,
  PERSONAL,
  MARKS,
  INJECTIONS,
  INFRASTRUCTURE,
];

export const DETECTORS: readonly (Detector | Reader)[] = FAMILIES.flatMap((family) => family.detectors);
