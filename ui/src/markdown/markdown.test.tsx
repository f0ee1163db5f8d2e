import { cleanup, render } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import { cut, NO_BLOCKS } from "./blocks";
import RenderedMarkdown from "./rendered-markdown";

afterEach(cleanup);

const HOSTILE = [
  "<script>document.title = 'x'</script>",
  '<img src=x onerror="alert(1)">',
  "[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x)",
  "![beacon](https://example.com/pixel.png) ![p](data:image/svg+xml,<svg onload=alert(1)>)",
  "<iframe src='https://example.com'></iframe><style>*{display:none}</style>",
  "<a href='javascript:alert(1)' onclick='alert(1)'>x</a>",
  '[ref]: javascript:alert(1)\n\n[ref] <svg><animate onbegin="alert(1)"/></svg>',
].join("\n\n");

// Some six hundred renderings, on a machine that may be busy.
const SLOW_MS = 60_000;

function harmIn(container: HTMLElement): string[] {
  const found: string[] = [];
  for (const element of container.querySelectorAll("*")) {
    if (["SCRIPT", "IFRAME", "STYLE", "OBJECT", "EMBED", "LINK", "FORM"].includes(element.tagName)) found.push(element.tagName);
    for (const attribute of element.attributes) {
      if (attribute.name.startsWith("on")) found.push(attribute.name);
      if (attribute.name === "href" && !/^(https?:|mailto:|#)/.test(attribute.value)) found.push(attribute.value);
      if (attribute.name === "src") found.push(attribute.value);
    }
  }
  return found;
}

describe("Markdown", () => {
  it("lets nothing act, in the whole text and in every beginning of it", () => {
    const { container, rerender } = render(<RenderedMarkdown text="" arriving />);
    for (let length = 1; length <= HOSTILE.length; length += 1) {
      rerender(<RenderedMarkdown text={HOSTILE.slice(0, length)} arriving={length < HOSTILE.length} />);
      expect(harmIn(container), HOSTILE.slice(0, length)).toEqual([]);
    }
  }, SLOW_MS);

  it("shows HTML as the text it is", () => {
    const { container } = render(<RenderedMarkdown text={"Use <b>bold</b> sparingly."} arriving={false} />);
    expect(container.textContent).toContain("Use <b>bold</b> sparingly.");
    expect(container.querySelector("b")).toBeNull();
  });

  it("loads no image, and says which one it left out", () => {
    const { container } = render(<RenderedMarkdown text="![a chart](https://example.com/chart.png)" arriving={false} />);
    expect(container.querySelector("img")).toBeNull();
    expect(container.textContent).toContain("Image not loaded: a chart");
  });

  it("opens links elsewhere, without telling where from", () => {
    const { container } = render(<RenderedMarkdown text="[docs](https://example.com/)" arriving={false} />);
    expect(container.querySelector("a")?.getAttribute("rel")).toContain("noreferrer");
    expect(container.querySelector("a")?.getAttribute("target")).toBe("_blank");
  });

  it("shows tables, task lists and code with its language", () => {
    const text = "| a | b |\n|--|--|\n| 1 | 2 |\n\n- [x] done\n\n```python\nprint(1)\n```";
    const { container } = render(<RenderedMarkdown text={text} arriving={false} />);
    expect(container.querySelectorAll("td")).toHaveLength(2);
    expect(container.querySelector("input")?.hasAttribute("checked")).toBe(true);
    expect(container.querySelector(".language")?.textContent).toBe("python");
    expect(container.querySelector("pre")?.textContent).toBe("print(1)");
  });

  it("closes what is still open while the text arrives", () => {
    const { container } = render(<RenderedMarkdown text="This is **very bo" arriving />);
    expect(container.querySelector("strong")?.textContent).toBe("very bo");
  });
});

describe("cut", () => {
  const TEXT = "# Title\n\nA paragraph.\n\n1. one\n\n2. two\n\n```js\nconst a = 1;\n\nconst b = 2;\n```\n\nThe end.\n\n> quote\n";

  it("gives blocks that together are the text, however it arrives", () => {
    let blocks = NO_BLOCKS;
    for (let length = 1; length <= TEXT.length; length += 1) {
      blocks = cut(blocks, TEXT.slice(0, length));
      expect(blocks.blocks.join("")).toBe(TEXT.slice(0, length));
    }
    expect(blocks.blocks.map((block) => block.trim())).toEqual(cut(NO_BLOCKS, TEXT).blocks.map((block) => block.trim()));
  });

  it("leaves settled blocks as they are", () => {
    const before = cut(NO_BLOCKS, "one\n\ntwo\n\nthree\n\nfour");
    const after = cut(before, "one\n\ntwo\n\nthree\n\nfour and more");
    expect(before.settledBlocks).toBeGreaterThan(0);
    expect(after.blocks.slice(0, before.settledBlocks)).toEqual(before.blocks.slice(0, before.settledBlocks));
  });

  it("begins anew where the text is another one", () => {
    const before = cut(NO_BLOCKS, "one\n\ntwo\n\nthree\n\nfour");
    expect(cut(before, "quite another text").blocks).toEqual(["quite another text"]);
  });
});
