// What of a model's Markdown may stand in the page. Applied after parsing, to every frame: a model's text is anybody's text.
import { defaultSchema, type Options } from "rehype-sanitize";
import type { Element, ElementContent, Root, RootContent } from "hast";

/** GitHub's list, without images from elsewhere: their address would tell another server what is read here. */
export const SCHEMA: Options = {
  ...defaultSchema,
  tagNames: (defaultSchema.tagNames ?? []).filter((name) => name !== "picture" && name !== "source"),
  protocols: { ...defaultSchema.protocols, href: ["http", "https", "mailto"], src: [], cite: [], longDesc: [] },
};

type Parent = Root | Element;

function shownAsText(parent: Parent): void {
  parent.children = parent.children.map((child: RootContent): RootContent => {
    if (child.type === "raw") return { type: "text", value: child.value };
    if (child.type === "element") shownAsText(child);
    return child;
  }) as ElementContent[];
}

/** Shows HTML as the text it is, where the sanitiser would drop it: it may be what the answer is about. */
export function showRawHtml() {
  return (tree: Root): void => shownAsText(tree);
}
