/** Gemini generateContent and streamGenerateContent (ai.google.dev/api/generate-content). */
import { type Answer, words } from "./answer.ts";
import { isThere, type Loose, listOf, textOf } from "./loose.ts";
import { nextMove, type Script } from "./plan.ts";

/** gemini-cli asks a small model which model to use, and who speaks next, before the real call. */
const ROUTER_ANSWER = {
  reasoning: "scripted",
  model_choice: "flash",
  complexity_reasoning: "scripted",
  complexity_score: 10,
  next_speaker: "user",
};

export function answerGemini(script: Script, body: Loose, stream: boolean): Answer {
  const tools = listOf(body.at("tools"))
    .flatMap((tool) => listOf(tool.at("functionDeclarations")))
    .map((declared) => ({
      name: textOf(declared.at("name")) ?? "",
      schema: isThere(declared.at("parametersJsonSchema"))
        ? declared.at("parametersJsonSchema")
        : declared.at("parameters"),
      free: false,
    }));
  const parts = listOf(body.at("contents")).flatMap((content) => listOf(content.at("parts")));
  const results = parts.filter((part) => isThere(part.at("functionResponse"))).length;
  const wantsJson = /json/.test(textOf(body.at("generationConfig").at("responseMimeType")) ?? "");
  const move =
    wantsJson && tools.length === 0
      ? { say: JSON.stringify(ROUTER_ANSWER) }
      : nextMove(script, tools, results, wantsJson);

  const chunk = (part: object, last: boolean): object => ({
    candidates: [
      { content: { role: "model", parts: [part] }, ...(last && { finishReason: "STOP" }), index: 0 },
    ],
    usageMetadata: { promptTokenCount: 1000, candidatesTokenCount: 20, totalTokenCount: 1020 },
    modelVersion: "scripted",
    responseId: script.newId(""),
  });
  if ("call" in move) {
    const whole = chunk({ functionCall: { name: move.call.name, args: move.call.args } }, true);
    return stream ? { events: [{ name: null, data: whole }] } : { json: whole };
  }
  if (!stream) return { json: chunk({ text: move.say }, true) };
  const texts = wantsJson ? [move.say] : words(move.say);
  return {
    events: texts.map((text, index) => ({ name: null, data: chunk({ text }, index === texts.length - 1) })),
  };
}
