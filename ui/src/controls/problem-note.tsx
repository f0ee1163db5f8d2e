// A problem in place: its cause in words, and what can be done about it.
import { useEffect, useState, type ReactNode } from "react";
import type { Problem } from "../api/problem";
import { Note } from "./note";
import { sentence } from "./sentence";

interface ProblemNoteProps {
  problem: Problem;
  title?: string;
  onRetry?: (() => void) | undefined;
  retryLabel?: string;
  children?: ReactNode;
}

/** The seconds that are left of a wait, counting down. */
function useSecondsLeft(problem: Problem): number {
  const [left, setLeft] = useState(Math.ceil(problem.retryAfter ?? 0));
  useEffect(() => {
    const end = Date.now() + (problem.retryAfter ?? 0) * 1000;
    const timer = setInterval(() => {
      const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      setLeft(seconds);
      if (seconds === 0) clearInterval(timer);
    }, 500);
    return () => clearInterval(timer);
  }, [problem]);
  return left;
}

export function ProblemNote({ problem, title, onRetry, retryLabel = "Retry", children }: ProblemNoteProps) {
  const left = useSecondsLeft(problem);
  return (
    <Note kind="danger">
      {title ? <strong>{title}</strong> : null}
      <span>{sentence(problem.message)}</span>
      {problem.fields?.map((field) => (
        <span key={field.path} className="hint">
          <code>{field.path}</code> {field.message}
        </span>
      ))}
      <span className="hint">
        {problem.code}
        {problem.requestId ? ` · request ${problem.requestId}` : ""}
      </span>
      {onRetry || children ? (
        <div className="actions">
          {onRetry ? (
            <button type="button" className="button" disabled={left > 0} onClick={onRetry}>
              {left > 0 ? `${retryLabel} in ${left} s` : retryLabel}
            </button>
          ) : null}
          {children}
        </div>
      ) : null}
    </Note>
  );
}
