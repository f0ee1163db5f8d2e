import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../api/events";
import { blocksOf, EMPTY_ANSWER, fold, hasEnded, textOf, type Answer } from "./fold";

const messageId = "m1";
const done = { messageId, usage: null, responseTime: 1, provider: "p", model: "m", finishReason: "stop", cost: null } as const;

function folded(...events: ChatEvent[]): Answer {
  return events.reduce(fold, EMPTY_ANSWER);
}

function token(seq: number, content: string): ChatEvent {
  return { type: "token", content, messageId, seq };
}

describe("fold", () => {
  it("joins text, and keeps reasoning, text and tools in their order", () => {
    const call = { id: "c1", name: "weather", arguments: "" };
    const answer = folded(
      { type: "reasoning", content: "First, ", messageId, seq: 1 },
      { type: "reasoning", content: "think.", messageId, seq: 2 },
      token(3, "Hello"),
      token(4, " there"),
      { type: "tool", call: { type: "tool_call", ...call }, status: "started", messageId, seq: 5 },
      { type: "tool", call: { type: "tool_call", ...call, arguments: '{"city":"Bern"}' }, status: "called", messageId, seq: 6 },
      token(7, "Done."),
    );
    expect(answer.blocks).toEqual([
      { kind: "reasoning", text: "First, think." },
      { kind: "text", text: "Hello there" },
      { kind: "tool", call: { ...call, arguments: '{"city":"Bern"}' }, status: "called", result: null },
      { kind: "text", text: "Done." },
    ]);
    expect(textOf(answer.blocks)).toBe("Hello thereDone.");
    expect(answer.messageId).toBe(messageId);
  });

  it("takes an event that was sent twice once", () => {
    expect(textOf(folded(token(1, "a"), token(2, "b"), token(2, "b"), token(1, "a")).blocks)).toBe("ab");
  });

  it("lets a snapshot replace what was there, and goes on after it", () => {
    const answer = folded(
      token(1, "half a se"),
      { type: "snapshot", messageId, text: "half a sentence", parts: [{ type: "text", text: "half a sentence" }], seq: 4 },
      token(4, "nce"),
      token(5, ", whole."),
    );
    expect(textOf(answer.blocks)).toBe("half a sentence, whole.");
    expect(answer.seq).toBe(5);
  });

  it("begins anew after a restart and says why", () => {
    const answer = folded(token(1, "wrong"), { type: "restart", reason: "the provider went away", messageId, seq: 2 }, token(3, "right"));
    expect(textOf(answer.blocks)).toBe("right");
    expect(answer.restarted).toBe("the provider went away");
  });

  it("ends with done, and keeps the text where it ends with an error", () => {
    const whole = folded(token(1, "a"), { type: "done", seq: 2, ...done });
    expect(hasEnded(whole)).toBe(true);
    expect(whole.outcome?.model).toBe("m");
    const failed = folded(token(1, "a"), { type: "error", messageId, seq: 2, code: "stream_truncated", message: "cut", retryable: true });
    expect(hasEnded(failed)).toBe(true);
    expect(textOf(failed.blocks)).toBe("a");
    expect(failed.problem?.code).toBe("stream_truncated");
  });

  it("does nothing on a heartbeat or on an event of a newer server", () => {
    const before = folded(token(1, "a"));
    expect(fold(before, { type: "heartbeat" })).toBe(before);
    expect(textOf(fold(before, { type: "later", messageId, seq: 2 } as unknown as ChatEvent).blocks)).toBe("a");
  });

  it("gives the same from a snapshot as from the events it stands for", () => {
    const call = { id: "c1", name: "weather", arguments: "{}" };
    const live = folded(
      { type: "reasoning", content: "Hm.", messageId, seq: 1 },
      token(2, "Text"),
      { type: "tool", call: { type: "tool_call", ...call }, status: "called", messageId, seq: 3 },
    );
    const parts = [{ type: "reasoning", text: "Hm." } as const, { type: "text", text: "Text" } as const, { type: "tool_call", ...call } as const];
    expect(blocksOf("Text", parts)).toEqual(live.blocks);
    expect(folded({ type: "snapshot", messageId, text: "Text", parts, seq: 3 }).blocks).toEqual(live.blocks);
  });
});
