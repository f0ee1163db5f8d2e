// ‹2/3›: the other answers to a question, or the other wordings of one.
import { ChevronLeft, ChevronRight } from "lucide-react";
import { problemOf } from "../api/problem";
import type { Message } from "../api/shapes";
import { toast } from "../controls/toasts";
import { answers, operations, queries } from "../parley";

async function showBranch(sessionId: string, messageId: string): Promise<void> {
  try {
    await operations.showBranch(sessionId, messageId);
    answers.dismiss(sessionId);
    await queries.invalidateQueries({ queryKey: ["messages", sessionId] });
  } catch (error) {
    toast(problemOf(error).message);
  }
}

export function Branches({ sessionId, message }: { sessionId: string; message: Message }) {
  const siblings = message.siblings ?? [];
  if (siblings.length < 2) return null;
  const index = siblings.indexOf(message.id);
  const before = siblings[index - 1];
  const after = siblings[index + 1];
  return (
    <span className="branches" role="group" aria-label="Versions">
      <button
        type="button"
        className="icon-button small"
        aria-label="Previous version"
        disabled={before === undefined}
        onClick={() => before && void showBranch(sessionId, before)}
      >
        <ChevronLeft size={16} aria-hidden />
      </button>
      {index + 1}/{siblings.length}
      <button
        type="button"
        className="icon-button small"
        aria-label="Next version"
        disabled={after === undefined}
        onClick={() => after && void showBranch(sessionId, after)}
      >
        <ChevronRight size={16} aria-hidden />
      </button>
    </span>
  );
}
