// Short words about what was done, with a way back where there is one.
import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
  undo: (() => void) | undefined;
  /** Called when it goes without having been undone. */
  kept: (() => unknown) | undefined;
}

const SHOWN_MS = 7_000;

let toasts: readonly Toast[] = [];
let counter = 0;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function toast(text: string, actions: { undo?: () => void; kept?: () => unknown } = {}): void {
  counter += 1;
  change([...toasts, { id: counter, text, undo: actions.undo, kept: actions.kept }]);
}

function take(id: number): Toast | undefined {
  const found = toasts.find((other) => other.id === id);
  if (found) change(toasts.filter((other) => other.id !== id));
  return found;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Nothing can be undone any more: what was only hidden is done now. Resolves when it is. */
export async function settleToasts(): Promise<void> {
  await Promise.all(toasts.map(({ id }) => take(id)?.kept?.()));
}

// What was only hidden must be done before the page goes.
addEventListener("pagehide", () => void settleToasts());

function Shown({ item }: { item: Toast }) {
  useEffect(() => {
    const timer = setTimeout(() => take(item.id)?.kept?.(), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [item.id]);
  return (
    <div className="toast">
      {item.text}
      {item.undo ? (
        <button type="button" className="button" onClick={() => take(item.id)?.undo?.()}>
          Undo
        </button>
      ) : null}
      <button type="button" className="icon-button small" aria-label="Close" onClick={() => take(item.id)?.kept?.()}>
        <X size={16} aria-hidden />
      </button>
    </div>
  );
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status">
      {shown.map((item) => (
        <Shown key={item.id} item={item} />
      ))}
    </div>
  );
}
