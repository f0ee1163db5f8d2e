// A dialog of the browser's own: it keeps the focus inside, closes on Escape and gives the focus back.
// What carries `data-first` has the focus when it opens, else what stands first.
import { useEffect, useRef, type ReactNode } from "react";

interface ModalProps {
  className: string;
  label: string;
  onClose: () => void;
  children: ReactNode;
  /** Whether Escape and a click beside it close it. */
  closable?: boolean;
}

function isBeside(element: Element, { clientX, clientY }: { clientX: number; clientY: number }): boolean {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

export function Modal({ className, label, onClose, children, closable = true }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    element?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      element?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={className}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        if (closable) onClose();
      }}
      onKeyDown={(event) => {
        // Chromium lets a second Escape through even where the first was refused.
        if (event.key === "Escape" && !closable) event.preventDefault();
        event.stopPropagation();
      }}
      onPointerDown={(event) => {
        if (closable && event.target === dialog.current && isBeside(dialog.current, event)) onClose();
      }}
    >
      {children}
    </dialog>
  );
}
