// The settings: a sheet over the chat, a page of its own on a phone. Loaded when first opened.
import { X } from "lucide-react";
import type { User } from "../api/shapes";
import { Boundary } from "../controls/boundary";
import { Modal } from "../controls/modal";
import { Toasts } from "../controls/toasts";
import type { Section } from "./address";
import { AppearanceSection } from "./appearance-section";
import { ChatSection } from "./chat-section";
import { DefaultsSection } from "./defaults-section";
import { KeysSection } from "./keys-section";
import { ProvidersSection } from "./providers-section";
import { SecuritySection } from "./security-section";
import "../styles/settings.css";

interface SheetProps {
  user: User;
  sessionId: string | null;
  section: Section;
  onSection: (section: Section) => void;
  onClose: () => void;
}

const LABELS: Record<Section, string> = {
  chat: "This chat",
  defaults: "My defaults",
  appearance: "Appearance",
  providers: "Providers",
  keys: "API keys",
  security: "Security",
};

function Shown({ user, sessionId, section }: Pick<SheetProps, "user" | "sessionId" | "section">) {
  switch (section) {
    case "chat":
      return <ChatSection key={sessionId} sessionId={sessionId} user={user} />;
    case "defaults":
      return <DefaultsSection user={user} />;
    case "appearance":
      return <AppearanceSection />;
    case "providers":
      return <ProvidersSection />;
    case "keys":
      return <KeysSection />;
    case "security":
      return <SecuritySection user={user} />;
  }
}

/** On a phone the sections are wider than the screen. */
function intoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export default function SettingsSheet({ user, sessionId, section, onSection, onClose }: SheetProps) {
  const sections = (Object.keys(LABELS) as Section[]).filter((name) => name !== "providers" || user.role === "admin");
  return (
    <Modal className="sheet" label="Settings" onClose={onClose}>
      <header className="sheet-head">
        <h2>Settings</h2>
        <button type="button" className="icon-button" aria-label="Close settings" onClick={onClose}>
          <X size={20} aria-hidden />
        </button>
      </header>
      <nav className="sheet-nav" aria-label="Settings">
        {sections.map((name) => (
          <button
            key={name}
            ref={name === section ? intoView : null}
            type="button"
            aria-current={name === section ? "page" : undefined}
            onClick={() => onSection(name)}
          >
            {LABELS[name]}
          </button>
        ))}
      </nav>
      <div className="sheet-body">
        <h3 className="sheet-title">{LABELS[section]}</h3>
        <Boundary part="This section" key={section}>
          <Shown user={user} sessionId={sessionId} section={section} />
        </Boundary>
      </div>
      <Toasts />
    </Modal>
  );
}
