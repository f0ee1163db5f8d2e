// Settings have an address of their own: the part after the #.
import { useSyncExternalStore } from "react";

export const SECTIONS = ["chat", "defaults", "appearance", "providers", "keys", "security"] as const;
export type Section = (typeof SECTIONS)[number];

const PREFIX = "#settings/";

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

function current(): Section | null {
  const name = location.hash.startsWith(PREFIX) ? location.hash.slice(PREFIX.length) : "";
  return SECTIONS.find((section) => section === name) ?? null;
}

function go(hash: string): void {
  history.replaceState(history.state, "", location.pathname + location.search + hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useSettingsAddress(): { section: Section | null; open: (section: Section) => void; close: () => void } {
  const section = useSyncExternalStore(subscribe, current);
  return { section, open: (wanted) => go(PREFIX + wanted), close: () => go("") };
}
