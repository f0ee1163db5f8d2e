// Reads server-sent events from a reply. Knows the framing, not what the events mean.
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ChatEvent } from "./events";

function parsed(data: string): ChatEvent | null {
  try {
    const value = JSON.parse(data) as Partial<ChatEvent> | null;
    return typeof value?.type === "string" ? (value as ChatEvent) : null;
  } catch {
    return null;
  }
}

/** The events of a reply, until it ends. `alive` is called for every piece that arrives, comments included. */
export async function* eventsOf(response: Response, alive: () => void): AsyncGenerator<ChatEvent> {
  if (response.body === null) return;
  const watched = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      alive();
      controller.enqueue(chunk);
    },
  });
  const decoder = new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>;
  const reader = response.body.pipeThrough(watched).pipeThrough(decoder).pipeThrough(new EventSourceParserStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const event = parsed(value.data);
      if (event !== null) yield event;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
