export { AGENTS, type AgentKind, agentNamed } from "./agents.ts";
export { type Destination, type DestinationRegister, parseDestinations } from "./destinations.ts";
export { buildFolder, type LocatedAgent, locateAgent, type Surroundings, splitVersion } from "./locate.ts";
