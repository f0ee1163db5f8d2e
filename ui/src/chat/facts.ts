// What is known of an answer, in one line.
import type { Outcome } from "../api/events";

const count = new Intl.NumberFormat("en");
const seconds = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 2 });

const SHORTEST_SHOWN_MS = 50;

export function factsOf({ provider, model, usage, responseTime, cost }: Outcome): string {
  const facts: string[] = [];
  if (model) facts.push(provider ? `${provider}/${model}` : model);
  if (usage) facts.push(`${usage.source === "reported" ? "" : "about "}${count.format(usage.totalTokens)} tokens`);
  if (responseTime && responseTime >= SHORTEST_SHOWN_MS) facts.push(`${seconds.format(responseTime / 1000)} s`);
  if (cost) facts.push(dollars.format(cost));
  return facts.join(" · ");
}
