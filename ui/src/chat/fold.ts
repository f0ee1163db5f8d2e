// Folds the events of one answer into what the page shows. Pure: knows no network, no clock and no screen.
import type { ChatEvent, Media, Outcome, Part, ToolCall, ToolStatus } from "../api/events";
import type { Problem } from "../api/problem";

export type Block =
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string }
  | { kind: "tool"; call: ToolCall; status: ToolStatus; result: string | null }
  | { kind: "image"; media: Media }
  | { kind: "file"; media: Media };

export interface Warning {
  code: string;
  message: string;
}

export interface Answer {
  messageId: string | null;
  blocks: readonly Block[];
  warnings: readonly Warning[];
  /** The number of the last event that was folded. */
  seq: number;
  restarted: string | null;
  outcome: Outcome | null;
  problem: Problem | null;
}

export const EMPTY_ANSWER: Answer = {
  messageId: null,
  blocks: [],
  warnings: [],
  seq: 0,
  restarted: null,
  outcome: null,
  problem: null,
};

/** True once nothing more will come. */
export function hasEnded(answer: Answer): boolean {
  return answer.outcome !== null || answer.problem !== null;
}

/** All the text of an answer, without reasoning and tools. */
export function textOf(blocks: readonly Block[]): string {
  return blocks.map((block) => (block.kind === "text" ? block.text : "")).join("");
}

function appended(blocks: readonly Block[], kind: "text" | "reasoning", text: string): readonly Block[] {
  const last = blocks.at(-1);
  if (!text) return blocks;
  if (last?.kind === kind) return [...blocks.slice(0, -1), { kind, text: last.text + text }];
  return [...blocks, { kind, text }];
}

function withTool(blocks: readonly Block[], given: ToolCall, status: ToolStatus, result: string | null): readonly Block[] {
  const call: ToolCall = { id: given.id, name: given.name, arguments: given.arguments };
  const block: Block = { kind: "tool", call, status, result };
  const index = blocks.findIndex((other) => other.kind === "tool" && other.call.id === call.id);
  return index < 0 ? [...blocks, block] : blocks.with(index, block);
}

function withPart(blocks: readonly Block[], part: Part): readonly Block[] {
  switch (part.type) {
    case "text":
    case "reasoning":
      return appended(blocks, part.type, part.text);
    case "tool_call":
      return withTool(blocks, part, "called", null);
    case "image":
    case "file":
      return [...blocks, { kind: part.type, media: part }];
  }
}

/** What a stored message or a snapshot shows. Parts without any text of their own are completed by `text`. */
export function blocksOf(text: string, parts: readonly Part[] | null | undefined): readonly Block[] {
  const blocks = (parts ?? []).reduce<readonly Block[]>(withPart, []);
  return text && !blocks.some((block) => block.kind === "text") ? [...blocks, { kind: "text", text }] : blocks;
}

/** The answer after one more event. An event that was already folded changes nothing. */
export function fold(answer: Answer, event: ChatEvent): Answer {
  if (event.type === "heartbeat") return answer;
  const { messageId, seq } = event;
  if (event.type === "snapshot") {
    return { ...EMPTY_ANSWER, messageId, blocks: blocksOf(event.text, event.parts), warnings: answer.warnings, seq };
  }
  return seq <= answer.seq ? answer : changed({ ...answer, messageId, seq }, event);
}

function changed(answer: Answer, event: Exclude<ChatEvent, { type: "snapshot" | "heartbeat" }>): Answer {
  switch (event.type) {
    case "token":
      return { ...answer, blocks: appended(answer.blocks, "text", event.content) };
    case "reasoning":
      return { ...answer, blocks: appended(answer.blocks, "reasoning", event.content) };
    case "tool":
      return { ...answer, blocks: withTool(answer.blocks, event.call, event.status, event.result ?? null) };
    case "part":
      return { ...answer, blocks: withPart(answer.blocks, event.part) };
    case "warning":
      return { ...answer, warnings: [...answer.warnings, { code: event.code, message: event.message }] };
    case "restart":
      return { ...answer, blocks: [], restarted: event.reason };
    case "done":
      return { ...answer, outcome: event };
    case "error":
      return { ...answer, problem: event };
    default:
      // A newer server may tell more than this page knows.
      return answer;
  }
}
