// A tool call: its name, what it was given, what came of it.
import { Check, ChevronRight, LoaderCircle, Wrench } from "lucide-react";
import { memo } from "react";
import type { Block } from "./fold";

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export const ToolCard = memo(function ToolCard({ block, live }: { block: Extract<Block, { kind: "tool" }>; live: boolean }) {
  const arriving = live && block.status === "started";
  return (
    <details className="tool">
      <summary>
        <Wrench size={16} aria-hidden />
        <code className="name">{block.call.name}</code>
        <span className="state">
          {arriving ? (
            <>
              <LoaderCircle size={15} className="spinner" aria-hidden /> being written
            </>
          ) : block.result !== null ? (
            <>
              <Check size={15} aria-hidden /> answered
            </>
          ) : (
            "asked for"
          )}
        </span>
        <ChevronRight size={16} className="turn" aria-hidden />
      </summary>
      <dl>
        <dt>Arguments</dt>
        <dd>
          <pre tabIndex={0}>{pretty(block.call.arguments)}</pre>
        </dd>
        {block.result !== null ? (
          <>
            <dt>Result</dt>
            <dd>
              <pre tabIndex={0}>{pretty(block.result)}</pre>
            </dd>
          </>
        ) : null}
      </dl>
    </details>
  );
});
