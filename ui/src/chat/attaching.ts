// Files that are being added to a message: each is uploaded at once.
import { useState } from "react";
import { problemOf } from "../api/problem";
import { newId } from "../ids";
import { operations } from "../parley";

export interface Attached {
  key: string;
  name: string;
  /** The server's id, once it has the file. */
  id: string | null;
  problem: string | null;
}

export interface Attaching {
  files: readonly Attached[];
  add: (files: Iterable<File>) => void;
  remove: (key: string) => void;
  clear: () => void;
}

export function useAttaching(): Attaching {
  const [files, setFiles] = useState<readonly Attached[]>([]);
  const change = (key: string, changes: Partial<Attached>): void => {
    setFiles((before) => before.map((file) => (file.key === key ? { ...file, ...changes } : file)));
  };
  const upload = async (key: string, file: File): Promise<void> => {
    try {
      change(key, { id: (await operations.attach(file)).id });
    } catch (error) {
      change(key, { problem: problemOf(error).message });
    }
  };
  return {
    files,
    add: (given) => {
      for (const file of given) {
        const key = newId();
        setFiles((before) => [...before, { key, name: file.name || "image", id: null, problem: null }]);
        void upload(key, file);
      }
    },
    remove: (key) => setFiles((before) => before.filter((file) => file.key !== key)),
    clear: () => setFiles([]),
  };
}
