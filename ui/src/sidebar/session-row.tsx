// One chat in the list: open, rename, delete.
import * as Menu from "@radix-ui/react-dropdown-menu";
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { memo, useState } from "react";
import { Link, useLocation } from "wouter";
import { problemOf } from "../api/problem";
import type { Session } from "../api/shapes";
import { toast } from "../controls/toasts";
import { useBusy } from "../data";
import { operations, queries } from "../parley";
import { hide, show } from "./hidden";

const UNTITLED = "New chat";

async function rename(session: Session, title: string): Promise<void> {
  if (!title || title === session.title) return;
  try {
    await operations.updateSession(session.id, { title });
  } catch (error) {
    toast(problemOf(error).message);
  }
  await queries.invalidateQueries({ queryKey: ["sessions"] });
  await queries.invalidateQueries({ queryKey: ["session", session.id] });
}

async function remove(id: string): Promise<void> {
  try {
    await operations.deleteSession(id);
    queries.removeQueries({ queryKey: ["messages", id] });
    await queries.invalidateQueries({ queryKey: ["sessions"] });
  } catch (error) {
    toast(problemOf(error).message);
  }
  show(id);
}

function TitleField({ session, onDone }: { session: Session; onDone: () => void }) {
  const [title, setTitle] = useState(session.title);
  const [given, setGiven] = useState(false);
  const finish = (keep: boolean): void => {
    if (given) return;
    setGiven(true);
    if (keep) void rename(session, title.trim());
    onDone();
  };
  return (
    <input
      aria-label="Title of the chat"
      autoFocus
      value={title}
      onChange={(event) => setTitle(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={() => finish(true)}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") finish(true);
        if (event.key === "Escape") {
          event.stopPropagation();
          finish(false);
        }
      }}
    />
  );
}

interface SessionRowProps {
  session: Session;
  current: boolean;
  onChosen: () => void;
}

export const SessionRow = memo(function SessionRow({ session, current, onChosen }: SessionRowProps) {
  const [, navigate] = useLocation();
  const [renaming, setRenaming] = useState(false);
  const busyHere = useBusy(session.id);
  const busy = busyHere || session.running;
  const title = session.title || UNTITLED;
  const id = session.id;
  const startDeleting = (): void => {
    hide(id);
    if (current) navigate("/");
    toast("Chat deleted", {
      undo: () => {
        show(id);
        if (current) navigate(`/chat/${id}`);
      },
      kept: () => remove(id),
    });
  };
  if (renaming) {
    return (
      <li className="session">
        <TitleField session={session} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li className="session" data-current={current}>
      <Link href={`/chat/${id}`} aria-current={current ? "page" : undefined} title={title} onClick={onChosen}>
        <span>{title}</span>
        {busy ? <span className="dot busy" role="img" aria-label="being answered" /> : null}
      </Link>
      <Menu.Root modal={false}>
        <Menu.Trigger className="icon-button" aria-label={`Actions for ${title}`}>
          <Ellipsis size={17} aria-hidden />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Content className="menu" align="start" sideOffset={4} onCloseAutoFocus={(event) => renaming && event.preventDefault()}>
            <Menu.Item onSelect={() => setTimeout(() => setRenaming(true), 0)}>
              <Pencil size={16} aria-hidden /> Rename
            </Menu.Item>
            <Menu.Item className="danger" onSelect={startDeleting}>
              <Trash2 size={16} aria-hidden /> Delete
            </Menu.Item>
          </Menu.Content>
        </Menu.Portal>
      </Menu.Root>
    </li>
  );
});
