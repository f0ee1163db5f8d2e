import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { watchAppearance } from "./appearance";
import { Boundary } from "./controls/boundary";
import { Toasts } from "./controls/toasts";
import { queries } from "./parley";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/layout.css";
import "./styles/gate.css";
import "./styles/search.css";
import "./styles/chat.css";
import "./styles/composer.css";
import "./styles/empty.css";
import "./styles/markdown.css";

watchAppearance();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Boundary>
        <QueryClientProvider client={queries}>
          <App />
          <Toasts />
        </QueryClientProvider>
      </Boundary>
    </StrictMode>,
  );
}
