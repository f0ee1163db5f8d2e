// The page's frame: sidebar, chat, and what lies over them.
import { WifiOff } from "lucide-react";
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import { useLocation, useRoute } from "wouter";
import type { User } from "./api/shapes";
import { Chat } from "./chat/chat";
import { prepareMarkdown } from "./markdown/markdown";
import { answers } from "./parley";
import { SearchDialog } from "./sidebar/search-dialog";
import { Sidebar } from "./sidebar/sidebar";
import { useSettingsAddress } from "./settings/address";
import { Boundary } from "./controls/boundary";

const SettingsSheet = lazy(() => import("./settings/sheet"));
const WIDE = matchMedia("(min-width: 768px)");

function watchNetwork(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

function OfflineBanner() {
  const online = useSyncExternalStore(watchNetwork, () => navigator.onLine);
  if (online) return null;
  return (
    <div className="banner" role="status">
      <WifiOff size={16} aria-hidden /> No network. Answers go on by themselves once it is back.
    </div>
  );
}

/** Streams that a sleeping device lost without noticing are read anew when the page is looked at again. */
function useWaking(): void {
  useEffect(() => {
    let hiddenAt = 0;
    const look = (): void => {
      if (document.hidden) hiddenAt = Date.now();
      else if (hiddenAt > 0 && Date.now() - hiddenAt > 15_000) answers.wake();
    };
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
}

export function Frame({ user }: { user: User }) {
  const [, navigate] = useLocation();
  const [, match] = useRoute("/chat/:id");
  const sessionId = match?.id ?? null;
  const [sidebar, setSidebar] = useState(WIDE.matches);
  const [searching, setSearching] = useState(false);
  const settings = useSettingsAddress();
  useWaking();
  useEffect(prepareMarkdown, []);

  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const command = event.ctrlKey || event.metaKey;
      if (command && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setSearching(true);
      }
      if (command && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        navigate("/");
      }
      if (event.key === "Escape" && !WIDE.matches) setSidebar(false);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [navigate]);

  const closeDrawer = (): void => {
    if (!WIDE.matches) setSidebar(false);
  };

  return (
    <div className={sidebar ? "app" : "app closed"}>
      <a className="skip-link" href="#chat">
        Skip to the chat
      </a>
      {sidebar || !WIDE.matches ? (
        <Sidebar
          user={user}
          sessionId={sessionId}
          onSearch={() => setSearching(true)}
          onSettings={settings.open}
          onClose={() => setSidebar(false)}
          onChosen={closeDrawer}
        />
      ) : null}
      <button type="button" className="sidebar-veil" aria-label="Close the list of chats" onClick={() => setSidebar(false)} />
      <main className="main" id="chat" tabIndex={-1}>
        <OfflineBanner />
        <Boundary part="This chat" key={sessionId}>
          <Chat user={user} sessionId={sessionId} onSidebar={() => setSidebar(true)} onSettings={settings.open} />
        </Boundary>
      </main>
      {searching ? <SearchDialog onClose={() => setSearching(false)} /> : null}
      {settings.section ? (
        <Suspense>
          <SettingsSheet user={user} sessionId={sessionId} section={settings.section} onSection={settings.open} onClose={settings.close} />
        </Suspense>
      ) : null}
    </div>
  );
}
