export {
  createInspector,
  type Finding,
  type InspectedPart,
  type Inspection,
  type Inspector,
  type InspectorOptions,
} from "./inspect.ts";
