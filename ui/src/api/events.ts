// The events of one answer as they come down the stream, and the parts that a snapshot holds. Knows no screen.
import type { Problem } from "./problem";

/** `started`: its arguments are still coming; `called`: they are there. */
export type ToolStatus = "started" | "called";

export interface ToolCall {
  id: string;
  name: string;
  /** JSON text. */
  arguments: string;
}

export interface Media {
  mediaType: string;
  name?: string | null;
  /** Base64. */
  data?: string | null;
  url?: string | null;
  attachmentId?: string | null;
}

export type ImagePart = { type: "image" } & Media;
export type FilePart = { type: "file" } & Media;

export type Part =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | ({ type: "tool_call" } & ToolCall)
  | ImagePart
  | FilePart;

export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  cachedTokens?: number | null;
  reasoningTokens?: number | null;
  source: string;
}

export interface Fallback {
  asked: string;
  actual: string;
  reason: string;
}

export interface Citation {
  url?: string | null;
  title?: string | null;
  text?: string | null;
}

/** What is known of an answer once it has ended; times in milliseconds, cost in US dollars. */
export interface Outcome {
  usage?: Usage | null;
  responseTime?: number | null;
  timeToFirstToken?: number | null;
  provider?: string | null;
  model?: string | null;
  finishReason?: string | null;
  cost?: number | null;
  fallback?: Fallback | null;
  refusal?: string | null;
  citations?: Citation[] | null;
  requestId?: string | null;
  complete?: boolean;
}

interface Numbered {
  messageId: string;
  seq: number;
}

export type ChatEvent =
  | ({ type: "snapshot"; text: string; parts: Part[] } & Numbered)
  | ({ type: "token"; content: string } & Numbered)
  | ({ type: "reasoning"; content: string } & Numbered)
  | ({ type: "tool"; call: ToolCall; status: ToolStatus; result?: string | null } & Numbered)
  | ({ type: "part"; part: ImagePart | FilePart } & Numbered)
  | ({ type: "warning"; code: string; message: string } & Numbered)
  | ({ type: "restart"; reason: string } & Numbered)
  | ({ type: "done" } & Outcome & Numbered)
  | ({ type: "error"; partial?: string | null } & Problem & Numbered)
  | { type: "heartbeat" };
