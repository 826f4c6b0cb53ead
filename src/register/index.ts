export { AGENTS, type AgentKind, agentNamed } from "./agents.ts";
export {
  DATED_FACTS,
  type DatedFact,
  type Destination,
  type DestinationRegister,
  isStale,
  overlay,
  parseDestinations,
  parseRows,
  STALE_DAYS,
} from "./destinations.ts";
export { buildFolder, type LocatedAgent, locateAgent, type Surroundings, splitVersion } from "./locate.ts";
