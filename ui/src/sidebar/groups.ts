// Puts chats under dates, newest first.

const DAY_MS = 86_400_000;

function startOfDay(time: Date): number {
  return new Date(time.getFullYear(), time.getMonth(), time.getDate()).getTime();
}

function labelOf(time: Date, now: Date): string {
  const days = Math.round((startOfDay(now) - startOfDay(time)) / DAY_MS);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days <= 7) return "Previous 7 days";
  if (days <= 30) return "Previous 30 days";
  return time.toLocaleDateString("en", { month: "long", year: "numeric" });
}

export interface Group<Item> {
  label: string;
  items: Item[];
}

/** Items that are ordered by time already, as groups that keep the order. */
export function byDate<Item>(items: readonly Item[], timeOf: (item: Item) => string, now: Date): Group<Item>[] {
  const groups: Group<Item>[] = [];
  for (const item of items) {
    const label = labelOf(new Date(timeOf(item)), now);
    const last = groups.at(-1);
    if (last?.label === label) last.items.push(item);
    else groups.push({ label, items: [item] });
  }
  return groups;
}
