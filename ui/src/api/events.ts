// The events of one answer as they come down the stream, and the parts that a snapshot and a message hold.
import type { components } from "./schema";

type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

export type ToolCall = Omit<Schema<"ShownToolCall">, "type">;
export type ToolStatus = Schema<"ToolEvent">["status"];
export type Media = Omit<Schema<"ShownImage">, "type"> & { name?: string };
export type Part = Schema<"MessageView">["parts"][number];
export type Citation = Schema<"ShownCitation">;

/** What is known of an answer once it has ended; times in milliseconds, cost in US dollars. */
export type Outcome = Partial<Omit<Schema<"AnswerMetadata">, "error" | "warnings">>;

export type ChatEvent =
  | Schema<"SnapshotEvent">
  | Schema<"TokenEvent">
  | Schema<"ReasoningEvent">
  | Schema<"ToolEvent">
  | Schema<"PartEvent">
  | Schema<"WarningEvent">
  | Schema<"RestartEvent">
  | Schema<"DoneEvent">
  | Schema<"ErrorEvent">
  | Schema<"HeartbeatEvent">;
