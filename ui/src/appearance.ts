// Light, dark, or as the system has it. public/theme.js sets the same before the first paint.
import { storage } from "./storage";

export type Appearance = "light" | "dark" | "system";

const KEY = "parley.appearance";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

export function appearance(): Appearance {
  const stored = storage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

function apply(): void {
  const wanted = appearance();
  const dark = wanted === "dark" || (wanted === "system" && systemDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function setAppearance(wanted: Appearance): void {
  if (wanted === "system") storage.removeItem(KEY);
  else storage.setItem(KEY, wanted);
  apply();
}

export function watchAppearance(): void {
  systemDark.addEventListener("change", apply);
  addEventListener("storage", (event) => {
    if (event.key === KEY) apply();
  });
}
