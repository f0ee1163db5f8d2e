// Colours for code: loaded when the first code is shown.
import { toJsxRuntime } from "hast-util-to-jsx-runtime";
import { common, createLowlight } from "lowlight";
import type { ReactNode } from "react";
import { Fragment, jsx, jsxs } from "react/jsx-runtime";

const lowlight = createLowlight(common);

/** The text with its words marked; as it is where the language is not known. */
export function colour(language: string, text: string): ReactNode {
  const name = language.toLowerCase();
  if (!lowlight.registered(name)) return text;
  return toJsxRuntime(lowlight.highlight(name, text), { Fragment, jsx, jsxs });
}
