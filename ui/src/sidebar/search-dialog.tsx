// Finds chats by their titles and text.
import { useQuery } from "@tanstack/react-query";
import { Search, SquarePen } from "lucide-react";
import { useDeferredValue, useState } from "react";
import { useLocation } from "wouter";
import { Modal } from "../controls/modal";
import { Options, type Option } from "../controls/options";
import { operations } from "../parley";
import { useHidden } from "./hidden";

export function SearchDialog({ onClose }: { onClose: () => void }) {
  const [, navigate] = useLocation();
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text.trim());
  const found = useQuery({
    queryKey: ["sessions", "search", wanted],
    queryFn: () => operations.sessions(null, wanted),
    placeholderData: (before) => before,
  });
  const hidden = useHidden();
  const shown = (found.data?.items ?? []).filter(({ session }) => !hidden.has(session.id));
  const options: Option[] = shown.map(({ session, titleHighlights, snippet }) => ({
    id: session.id,
    title: session.title || "New chat",
    titleMarks: titleHighlights ?? [],
    note: snippet?.text ?? "",
    noteMarks: snippet?.highlights ?? [],
    group: wanted ? "Found" : "Recent",
  }));
  if (!wanted) options.unshift({ id: "new", title: "New chat", icon: SquarePen, group: "" });
  const choose = (id: string): void => {
    onClose();
    navigate(id === "new" ? "/" : `/chat/${id}`);
  };
  return (
    <Modal className="search-box" label="Search chats" onClose={onClose}>
      <Options
        label="Search chats"
        icon={Search}
        text={text}
        onText={setText}
        options={options}
        empty={found.isFetching ? "Searching …" : found.error ? "The search could not be made." : `Nothing was found for “${wanted}”.`}
        onChoose={choose}
        onClose={onClose}
      />
    </Modal>
  );
}
