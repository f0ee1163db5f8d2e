// Reads an answer out while it is written, by whole sentences: single tokens would drown the screen reader.
import { useEffect, useState } from "react";

const SENTENCE_END = /[.!?…:](?=\s)|\n/g;

function endOfLastSentence(text: string): number {
  let end = 0;
  for (const match of text.matchAll(SENTENCE_END)) end = match.index + match[0].length;
  return end;
}

export function Announcer({ text, ended }: { text: string; ended: boolean }) {
  const [{ spoken, saying }, say] = useState({ spoken: 0, saying: "" });
  useEffect(() => {
    if (text.length < spoken) return say({ spoken: 0, saying: "" });
    const end = endOfLastSentence(text);
    if (end > spoken) say({ spoken: end, saying: text.slice(spoken, end) });
  }, [text, spoken]);
  return (
    <div className="visually-hidden" aria-live="polite">
      {ended ? "The answer is complete." : saying}
    </div>
  );
}
