// What a chat shows, in order: the stored messages, and what is being asked and answered now in its place among them.
import type { Message } from "../api/shapes";
import { asksText, type Running } from "./answers";

export type Entry =
  | { kind: "stored"; key: string; message: Message; running: Running | undefined }
  | { kind: "asked"; key: string; text: string; running: Running }
  | { kind: "live"; key: string; running: Running };

/** The stored messages that still hold while a regenerated answer or an edited question takes the place of others. */
function standing(messages: readonly Message[], running: Running): readonly Message[] {
  const { asked } = running;
  if (running.stored || running.refused || (asked.kind !== "edit" && asked.kind !== "regenerate")) return messages;
  const index = messages.findIndex((message) => message.id === asked.messageId);
  return index < 0 ? messages : messages.slice(0, index);
}

export function entriesOf(messages: readonly Message[], running: Running | undefined): Entry[] {
  const plain = (message: Message): Entry => ({ kind: "stored", key: message.id, message, running: undefined });
  if (running === undefined) return messages.map(plain);
  const id = running.answer.messageId;
  const ended = running.phase === "ended";
  const shown = standing(messages, running);
  const entries = shown.map((message): Entry => {
    if (message.id !== id) return plain(message);
    return ended && running.stored ? { ...plain(message), running } as Entry : { kind: "live", key: message.id, running };
  });
  const text = asksText(running.asked);
  if (text !== null && !running.stored) entries.push({ kind: "asked", key: "asked", text, running });
  const placed = entries.some((entry) => entry.kind !== "asked" && entry.key === id);
  if (!placed && !running.refused && !(ended && running.stored && running.answer.problem === null)) {
    entries.push({ kind: "live", key: id ?? "waiting", running });
  }
  return entries;
}
