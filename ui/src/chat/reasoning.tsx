// What the model thought aloud: folded away once the answer begins.
import { ChevronRight } from "lucide-react";
import { memo, useEffect, useRef, useState } from "react";
import { Markdown } from "../markdown/markdown";

/** Whole seconds between the first and the last time it was seen thinking; 0 for what was stored. */
function useSeconds(thinking: boolean): number {
  const start = useRef<number | null>(null);
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!thinking) return;
    start.current ??= Date.now();
    const timer = setInterval(() => setSeconds(Math.round((Date.now() - (start.current ?? Date.now())) / 1000)), 1000);
    return () => clearInterval(timer);
  }, [thinking]);
  return seconds;
}

export const Reasoning = memo(function Reasoning({ text, thinking }: { text: string; thinking: boolean }) {
  const seconds = useSeconds(thinking);
  const [open, setOpen] = useState(false);
  return (
    <details className="fold-out" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <ChevronRight size={16} className="turn" aria-hidden />
        <span className={thinking ? "shimmer" : undefined}>{thinking ? "Thinking" : "Thought"}</span>
        {seconds > 0 ? <span>{thinking ? `${seconds} s` : `for ${seconds} s`}</span> : null}
      </summary>
      {open ? (
        <div className="inside">
          <Markdown text={text} arriving={thinking} />
        </div>
      ) : null}
    </details>
  );
});
