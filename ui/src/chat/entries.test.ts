import { describe, expect, it } from "vitest";
import type { Message } from "../api/shapes";
import type { Running } from "./answers";
import { entriesOf } from "./entries";
import { EMPTY_ANSWER } from "./fold";

function message(id: string, role: string): Message {
  return { id, sessionId: "s1", parentId: null, role, content: id, parts: [], createdAt: "2026-01-01T00:00:00.000Z", status: "complete" };
}

const question = message("q1", "user");
const answer = message("a1", "assistant");

function running(changes: Partial<Running>): Running {
  const asked = { kind: "send", text: "hello", attachments: [], idempotencyKey: "k" } as const;
  return { asked, phase: "streaming", answer: EMPTY_ANSWER, refused: null, stored: false, stopping: false, ...changes };
}

function kinds(stored: readonly Message[], now?: Running): string[] {
  return entriesOf(stored, now).map((entry) => `${entry.kind}:${entry.key}`);
}

describe("entriesOf", () => {
  it("shows what is asked and answered after the stored messages", () => {
    expect(kinds([question, answer], running({}))).toEqual(["stored:q1", "stored:a1", "asked:asked", "live:waiting"]);
  });

  it("shows an answer in the place of its stored message, once", () => {
    const live = running({ stored: true, answer: { ...EMPTY_ANSWER, messageId: "a1" } });
    expect(kinds([question, answer], live)).toEqual(["stored:q1", "live:a1"]);
    expect(kinds([question, answer], { ...live, phase: "ended" })).toEqual(["stored:q1", "stored:a1"]);
  });

  it("takes the old answer away while another one is made, and the old question while it is edited", () => {
    expect(kinds([question, answer], running({ asked: { kind: "regenerate", messageId: "a1" } }))).toEqual(["stored:q1", "live:waiting"]);
    const edit = running({ asked: { kind: "edit", messageId: "q1", text: "better" } });
    expect(kinds([question, answer], edit)).toEqual(["asked:asked", "live:waiting"]);
  });

  it("keeps what the server did not take, without an answer to it", () => {
    const problem = { message: "no", code: "rate_limited", retryable: true };
    expect(kinds([question], running({ phase: "ended", refused: problem }))).toEqual(["stored:q1", "asked:asked"]);
  });
});
