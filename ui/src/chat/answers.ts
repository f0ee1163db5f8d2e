// The answers that are being written, one per chat: they go on while another chat is looked at, through lost connections and reloads.
// Knows the streams and the fold; not how anything looks.
import type { Client, Call } from "../api/client";
import { eventsOf } from "../api/stream";
import { ApiError, problemOf, type Problem } from "../api/problem";
import { EMPTY_ANSWER, fold, hasEnded, type Answer } from "./fold";

/** What was asked: it stays until the answer has begun, so that it can be asked again. */
export type Asked =
  | { kind: "send"; text: string; attachments: readonly string[]; idempotencyKey: string }
  | { kind: "edit"; messageId: string; text: string }
  | { kind: "regenerate"; messageId: string }
  | { kind: "resume"; messageId: string | null };

/** The question that was asked; null where there was none. */
export function asksText(asked: Asked): string | null {
  return asked.kind === "send" || asked.kind === "edit" ? asked.text : null;
}

export interface Running {
  asked: Asked;
  /** `sending` until the server has taken it, `lost` while the connection is being made again, `ended` when nothing more comes. */
  phase: "sending" | "streaming" | "lost" | "ended";
  answer: Answer;
  /** Why the server did not take what was asked. */
  refused: Problem | null;
  /** The stored messages include what was asked. */
  stored: boolean;
  stopping: boolean;
}

export interface AnswersHooks {
  /** Fetches a chat's messages anew; resolves when they are there. */
  refetch: (sessionId: string) => Promise<void>;
  accepted: (sessionId: string, asked: Asked) => void;
}

const SHOWN_EVERY_MS = 40;
const SILENCE_MS = 60_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 20_000;

export class Answers {
  readonly #client: Client;
  readonly #hooks: AnswersHooks;
  readonly #running = new Map<string, Running>();
  readonly #readers = new Map<string, AbortController>();
  readonly #listeners = new Set<() => void>();
  #announcing = false;

  constructor(client: Client, hooks: AnswersHooks) {
    this.#client = client;
    this.#hooks = hooks;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get(sessionId: string): Running | undefined {
    return this.#running.get(sessionId);
  }

  busy(sessionId: string): boolean {
    const running = this.#running.get(sessionId);
    return running !== undefined && running.phase !== "ended";
  }

  /** Asks, unless an answer is already on its way. */
  async ask(sessionId: string, asked: Asked): Promise<void> {
    if (this.busy(sessionId)) return;
    const phase = asked.kind === "resume" ? "lost" : "sending";
    this.#running.set(sessionId, { asked, phase, answer: EMPTY_ANSWER, refused: null, stored: asked.kind === "resume", stopping: false });
    this.#announce();
    await this.#follow(sessionId, opening(sessionId, asked));
  }

  async stop(sessionId: string): Promise<void> {
    if (!this.busy(sessionId)) return;
    this.#change(sessionId, { stopping: true });
    try {
      await this.#client.json({ method: "POST", path: `/chat/sessions/${sessionId}/cancel` });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) this.#change(sessionId, { stopping: false });
    }
  }

  /** Forgets an ended answer: its message is among the stored ones, or was given up. */
  dismiss(sessionId: string): void {
    if (this.busy(sessionId)) return;
    this.#running.delete(sessionId);
    this.#announce();
  }

  /** Reads anew every stream that has been silent, as after the device slept. */
  wake(): void {
    for (const reader of this.#readers.values()) reader.abort();
  }

  async #follow(sessionId: string, first: Call): Promise<void> {
    let call = first;
    for (let attempt = 0; ; attempt += 1) {
      const before = this.#running.get(sessionId)?.answer.seq ?? 0;
      const verdict = await this.#read(sessionId, call);
      const running = this.#running.get(sessionId);
      if (verdict === "refused" || running === undefined) return;
      if (verdict === "gone" || hasEnded(running.answer)) break;
      if (running.answer.seq > before) attempt = 0;
      this.#change(sessionId, { phase: "lost" });
      await untilRetry(attempt);
      call = resuming(sessionId, running.answer.messageId);
    }
    await this.#end(sessionId);
  }

  async #end(sessionId: string): Promise<void> {
    this.#change(sessionId, { phase: "ended", stopping: false });
    await this.#hooks.refetch(sessionId).catch(() => undefined);
    this.#change(sessionId, { stored: true });
  }

  async #read(sessionId: string, call: Call): Promise<"cut" | "refused" | "gone"> {
    const reader = new AbortController();
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => reader.abort(), SILENCE_MS);
    };
    this.#readers.set(sessionId, reader);
    try {
      const response = await this.#client.open({ ...call, signal: reader.signal });
      alive();
      this.#taken(sessionId);
      for await (const event of eventsOf(response, alive)) {
        const running = this.#running.get(sessionId);
        if (running === undefined) return "gone";
        this.#change(sessionId, { answer: fold(running.answer, event), phase: "streaming" });
      }
      return "cut";
    } catch (error) {
      return this.#failed(sessionId, error);
    } finally {
      clearTimeout(silence);
      this.#readers.delete(sessionId);
    }
  }

  #taken(sessionId: string): void {
    const running = this.#running.get(sessionId);
    if (running === undefined || running.phase !== "sending") return;
    this.#change(sessionId, { phase: "streaming" });
    this.#hooks.accepted(sessionId, running.asked);
    void this.#hooks.refetch(sessionId).then(
      () => this.#change(sessionId, { stored: true }),
      () => undefined,
    );
  }

  #failed(sessionId: string, error: unknown): "cut" | "refused" | "gone" {
    const running = this.#running.get(sessionId);
    if (running?.phase === "sending") {
      this.#change(sessionId, { phase: "ended", refused: problemOf(error) });
      return "refused";
    }
    const answered = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
    return answered ? "gone" : "cut";
  }

  #change(sessionId: string, changes: Partial<Running>): void {
    const running = this.#running.get(sessionId);
    if (running === undefined) return;
    this.#running.set(sessionId, { ...running, ...changes });
    this.#announce();
  }

  /** Listeners hear of many events at once, some 25 times a second: what a reader can follow and a phone can paint. */
  #announce(): void {
    if (this.#announcing) return;
    this.#announcing = true;
    setTimeout(() => {
      this.#announcing = false;
      for (const listener of this.#listeners) listener();
    }, SHOWN_EVERY_MS);
  }
}

function opening(sessionId: string, asked: Asked): Call {
  switch (asked.kind) {
    case "send": {
      const { text, attachments, idempotencyKey } = asked;
      const body = { sessionId, message: text, idempotencyKey, ...(attachments.length > 0 ? { attachments } : {}) };
      return { method: "POST", path: "/chat/message", body };
    }
    case "edit":
      return { method: "PATCH", path: `/chat/messages/${asked.messageId}`, body: { message: asked.text } };
    case "regenerate":
      return { method: "POST", path: `/chat/messages/${asked.messageId}/regenerate`, body: {} };
    case "resume":
      return resuming(sessionId, asked.messageId);
  }
}

function resuming(sessionId: string, messageId: string | null): Call {
  return { method: "GET", path: `/chat/sessions/${sessionId}/stream`, query: { messageId } };
}

/** Waits longer each time; ends at once when the network comes back. */
function untilRetry(attempt: number): Promise<void> {
  const delay = Math.min(FIRST_RETRY_MS * 2 ** attempt, LAST_RETRY_MS);
  return new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer);
      removeEventListener("online", go);
      resolve();
    };
    const timer = setTimeout(go, delay);
    addEventListener("online", go);
  });
}
