// A framed remark in place: what happened, and what can be done.
import { CircleAlert, CircleCheck, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

const ICONS = { danger: CircleAlert, amber: TriangleAlert, good: CircleCheck, plain: Info };

export function Note({ kind, children }: { kind: keyof typeof ICONS; children: ReactNode }) {
  const Icon = ICONS[kind];
  return (
    <div className={`note ${kind}`} role={kind === "danger" ? "alert" : undefined}>
      <Icon size={18} aria-hidden />
      {children}
    </div>
  );
}
