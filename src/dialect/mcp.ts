/**
 * Model Context Protocol over Streamable HTTP: JSON-RPC 2.0 messages or batches of them
 * (modelcontextprotocol.io/specification/2025-11-25/basic/transports).
 */
import { fieldsOf, type Protocol, textOf, whole } from "./protocol.ts";
import type { Role } from "./request.ts";

export const mcp: Protocol = {
  name: "mcp",
  demands: ["jsonrpc", ""],
  cut: (member, value) => {
    if (member === "params") return whole(value, "assistant");
    // A client answers the server's requests too (sampling, elicitation, roots).
    if (member === "result" || member === "error") return whole(value, "user");
    if (member !== "") return whole(value, "metadata");
    const method = textOf(fieldsOf(value)["method"]);
    return whole(value, (method === null ? "user" : "assistant") satisfies Role);
  },
};
