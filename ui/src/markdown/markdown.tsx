// A model's Markdown. What renders it is loaded with the first text; until then the text stands as it is.
import { lazy, Suspense } from "react";

const load = () => import("./rendered-markdown");
const RenderedMarkdown = lazy(load);

/** Loads the renderer ahead of the first answer. */
export function prepareMarkdown(): void {
  void load();
}

export function Markdown({ text, arriving = false }: { text: string; arriving?: boolean }) {
  return (
    <Suspense fallback={<div className="plain-text">{text}</div>}>
      <RenderedMarkdown text={text} arriving={arriving} />
    </Suspense>
  );
}
