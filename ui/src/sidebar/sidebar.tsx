// The list of chats, and the ways to everything that is not a chat.
import * as Menu from "@radix-ui/react-dropdown-menu";
import { KeyRound, LogOut, PanelLeftClose, Search, Settings, SquarePen } from "lucide-react";
import { useEffect, useRef } from "react";
import { Link } from "wouter";
import { signOut } from "../account/signed-out";
import { problemOf } from "../api/problem";
import type { User } from "../api/shapes";
import { Mark } from "../controls/brand";
import { ProblemNote } from "../controls/problem-note";
import { useSessions } from "../data";
import type { Section } from "../settings/address";
import { byDate } from "./groups";
import { SessionRow } from "./session-row";
import { useHidden } from "./hidden";

const COMMAND = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl ";

interface SidebarProps {
  user: User;
  sessionId: string | null;
  onSearch: () => void;
  onSettings: (section: Section) => void;
  onClose: () => void;
  onChosen: () => void;
}

function UserMenu({ user, onSettings }: { user: User; onSettings: (section: Section) => void }) {
  return (
    <Menu.Root modal={false}>
      <Menu.Trigger className="side-action">
        <span className="avatar" aria-hidden>
          {user.username.slice(0, 1).toUpperCase()}
        </span>
        <span className="who">
          <span>
            <span className="visually-hidden">Account of </span>
            {user.username}
          </span>
          {user.role === "admin" ? <span className="hint">Administrator</span> : null}
        </span>
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content className="menu" side="top" align="start" sideOffset={6}>
          <Menu.Item onSelect={() => onSettings("defaults")}>
            <Settings size={16} aria-hidden /> Settings
          </Menu.Item>
          <Menu.Item onSelect={() => onSettings("keys")}>
            <KeyRound size={16} aria-hidden /> API keys
          </Menu.Item>
          <Menu.Separator />
          <Menu.Item onSelect={() => void signOut()}>
            <LogOut size={16} aria-hidden /> Sign out
          </Menu.Item>
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

function SessionList({ sessionId, onChosen }: { sessionId: string | null; onChosen: () => void }) {
  const sessions = useSessions();
  const hidden = useHidden();
  const end = useRef<HTMLDivElement>(null);
  const { hasNextPage, fetchNextPage } = sessions;
  useEffect(() => {
    if (!hasNextPage || !end.current) return;
    const watcher = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) void fetchNextPage();
    });
    watcher.observe(end.current);
    return () => watcher.disconnect();
  }, [hasNextPage, fetchNextPage]);

  if (sessions.error) return <ProblemNote problem={problemOf(sessions.error)} onRetry={() => void sessions.refetch()} />;
  if (!sessions.data) {
    return (
      <div aria-label="Loading chats">
        {[70, 52, 84, 60].map((width) => (
          <div key={width} className="skeleton" style={{ width: `${width}%`, height: 14, margin: "18px 10px" }} />
        ))}
      </div>
    );
  }
  const listed = sessions.data.pages.flatMap((page) => page.items.map((item) => item.session));
  const items = listed.filter((session) => !hidden.has(session.id));
  if (items.length === 0) return <p className="nothing">Your chats will be listed here.</p>;
  return (
    <>
      {byDate(items, (session) => session.lastActivityAt, new Date()).map((group) => (
        <section key={group.label} aria-label={group.label}>
          <h2>{group.label}</h2>
          <ul>
            {group.items.map((session) => (
              <SessionRow key={session.id} session={session} current={session.id === sessionId} onChosen={onChosen} />
            ))}
          </ul>
        </section>
      ))}
      <div ref={end} />
    </>
  );
}

export function Sidebar({ user, sessionId, onSearch, onSettings, onClose, onChosen }: SidebarProps) {
  return (
    <nav className="sidebar" aria-label="Chats">
      <div className="sidebar-top">
        <div className="brand-row">
          <Link href="/" className="brand" aria-label="Parley, new chat">
            <Mark /> Parley
          </Link>
          <button type="button" className="icon-button" aria-label="Close the list of chats" onClick={onClose}>
            <PanelLeftClose size={18} aria-hidden />
          </button>
        </div>
        <Link href="/" className="side-action" onClick={onChosen}>
          <SquarePen size={17} aria-hidden /> New chat
        </Link>
        <button type="button" className="side-action" onClick={onSearch}>
          <Search size={17} aria-hidden /> Search <kbd>{COMMAND}K</kbd>
        </button>
      </div>
      <div className="sessions">
        <SessionList sessionId={sessionId} onChosen={onChosen} />
      </div>
      <div className="sidebar-end">
        <UserMenu user={user} onSettings={onSettings} />
      </div>
    </nav>
  );
}
