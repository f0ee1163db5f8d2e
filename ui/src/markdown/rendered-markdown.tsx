// Shows a model's Markdown, also while it is arriving. Knows no message.
import { ImageOff } from "lucide-react";
import { memo, useRef, type ComponentProps, type ReactNode } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeSanitize from "rehype-sanitize";
import remarkGfm from "remark-gfm";
import remend from "remend";
import { cut, NO_BLOCKS } from "./blocks";
import { CodeBlock } from "./code-block";
import { SCHEMA, showRawHtml } from "./sanitise";

const remarkPlugins: ComponentProps<typeof ReactMarkdown>["remarkPlugins"] = [remarkGfm];
const rehypePlugins: ComponentProps<typeof ReactMarkdown>["rehypePlugins"] = [showRawHtml, [rehypeSanitize, SCHEMA]];

function textIn(children: ReactNode): string {
  if (typeof children === "string") return children;
  return Array.isArray(children) ? children.map(textIn).join("") : "";
}

const components: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  ),
  img: ({ alt }) => (
    <span className="blocked-image">
      <ImageOff size={14} aria-hidden />
      {alt ? `Image not loaded: ${alt}` : "Image not loaded"}
    </span>
  ),
  input: ({ checked }) => <input type="checkbox" checked={checked ?? false} readOnly disabled aria-label={checked ? "Done" : "Open"} />,
  table: ({ children }) => (
    <div className="table-box" role="region" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  pre: ({ node }) => {
    const code = node?.children[0];
    if (code?.type !== "element") return null;
    const names = Array.isArray(code.properties.className) ? code.properties.className.map(String) : [];
    const language = names.find((name) => name.startsWith("language-"))?.slice("language-".length) ?? "";
    const text = code.children.map((child) => (child.type === "text" ? child.value : "")).join("");
    return <CodeBlock language={language} text={text.replace(/\n$/, "")} />;
  },
  code: ({ children }) => <code>{textIn(children)}</code>,
};

const Block = memo(function Block({ text }: { text: string }) {
  return (
    <div>
      <ReactMarkdown remarkPlugins={remarkPlugins} rehypePlugins={rehypePlugins} components={components}>
        {text}
      </ReactMarkdown>
    </div>
  );
});

/** `arriving`: the last block may be cut anywhere, and is closed as far as it can be. */
export default memo(function RenderedMarkdown({ text, arriving }: { text: string; arriving: boolean }) {
  const known = useRef(NO_BLOCKS);
  known.current = cut(known.current, text);
  const { blocks } = known.current;
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        <Block key={index} text={arriving && index === blocks.length - 1 ? remend(block) : block} />
      ))}
    </div>
  );
});
