// A block of code: its language, copy, wrap, and colours that come once it stands still.
import { Check, Copy, WrapText } from "lucide-react";
import { memo, useEffect, useState, type ReactNode } from "react";
import { useCopy } from "../controls/copy";

const STILL_MS = 160;
// Colouring a very long text would hold the page up for longer than it helps to read it.
const MAX_COLOURED_CHARACTERS = 60_000;

function useColours(language: string, text: string): ReactNode {
  const [coloured, setColoured] = useState<{ text: string; content: ReactNode } | null>(null);
  useEffect(() => {
    if (!language || text.length > MAX_COLOURED_CHARACTERS) return;
    let current = true;
    const timer = setTimeout(() => {
      void import("./highlighter").then(({ colour }) => {
        if (current) setColoured({ text, content: colour(language, text) });
      });
    }, STILL_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [language, text]);
  return coloured?.text === text ? coloured.content : text;
}

export const CodeBlock = memo(function CodeBlock({ language, text }: { language: string; text: string }) {
  const content = useColours(language, text);
  const [wrapped, setWrapped] = useState(false);
  const { copied, copy } = useCopy();
  return (
    <div className="code">
      <div className="code-head">
        <span className="language">{language || "text"}</span>
        <button type="button" className="button" aria-pressed={wrapped} onClick={() => setWrapped(!wrapped)}>
          <WrapText size={14} aria-hidden /> Wrap
        </button>
        <button type="button" className="button" onClick={() => void copy(text)}>
          {copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />} {copied ? "Copied" : "Copy"}
        </button>
      </div>
      <pre className={wrapped ? "wrapped" : undefined} tabIndex={0}>
        <code>{content}</code>
      </pre>
    </div>
  );
});
