// The provider and model chosen for a chat that does not exist yet.
import { useSyncExternalStore } from "react";
import type { Target } from "./target";

let chosen: Target | null = null;
const listeners = new Set<() => void>();

export function takeTarget(target: Target | null): void {
  chosen = target;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useNewTarget(): Target | null {
  return useSyncExternalStore(subscribe, () => chosen);
}
