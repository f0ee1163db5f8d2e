// Chats that are being deleted: out of sight at once, gone when nobody has undone it.
import { useSyncExternalStore } from "react";

let hidden: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

function change(next: ReadonlySet<string>): void {
  hidden = next;
  for (const listener of listeners) listener();
}

export function hide(id: string): void {
  change(new Set(hidden).add(id));
}

export function show(id: string): void {
  change(new Set([...hidden].filter((other) => other !== id)));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useHidden(): ReadonlySet<string> {
  return useSyncExternalStore(subscribe, () => hidden);
}
