import { expect, it } from "vitest";
import { byDate } from "./groups";

it("puts chats under dates and keeps their order", () => {
  const now = new Date(2026, 5, 15, 12);
  const times = [new Date(2026, 5, 15, 9), new Date(2026, 5, 14, 23), new Date(2026, 5, 10), new Date(2026, 4, 20), new Date(2025, 0, 3)];
  const groups = byDate(times, (time) => time.toISOString(), now);
  expect(groups.map((group) => group.label)).toEqual(["Today", "Yesterday", "Previous 7 days", "Previous 30 days", "January 2025"]);
  expect(groups.flatMap((group) => group.items)).toEqual(times);
});
