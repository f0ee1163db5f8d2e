// For the administrator: the providers, their keys and whether they answer.
import { useMutation } from "@tanstack/react-query";
import { ChevronDown, ChevronUp } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { problemOf } from "../api/problem";
import type { Provider } from "../api/shapes";
import { Note } from "../controls/note";
import { toast } from "../controls/toasts";
import { isReady, useProviders } from "../data";
import { operations, queries } from "../parley";
import { ProviderForm } from "./provider-form";

const STATUS = { ready: "Ready", unconfigured: "Not set up", quarantined: "Could not be loaded", unhealthy: "Had trouble last" };

/** In words, with what keeps it from answering. A server of this machine that nobody has set up may not run at all. */
function standing(provider: Provider, status: keyof typeof STATUS, available: boolean): string {
  if (status === "unconfigured") return `${STATUS[status]} · ${provider.description}`;
  if (status === "ready" && provider.local && !available) return "Test it to see whether it runs on this machine";
  return STATUS[status] + (provider.reason ? `: ${provider.reason}` : "");
}

function ProviderRow({ provider, available }: { provider: Provider; available: boolean }) {
  const [open, setOpen] = useState(false);
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (open) row.current?.scrollIntoView({ block: "nearest" });
  }, [open]);
  const status = provider.status ?? "ready";
  const forget = useMutation({
    mutationFn: () => operations.forgetProvider(provider.name),
    onSuccess: async () => {
      toast(`${provider.label} is set back to what the server’s environment says`);
      await queries.invalidateQueries({ queryKey: ["providers"] });
    },
  });
  const Turn = open ? ChevronUp : ChevronDown;
  return (
    <li ref={row} className={open ? "open" : undefined}>
      <div className="row-head">
        <span className={`status-dot ${status === "ready" && !available ? "" : status}`} aria-hidden />
        <span className="about">
          <b>{provider.label}</b>
          {provider.proven === "claimed" ? (
            <span className="badge" title="Written after its documentation; no recorded exchange shows it yet">
              claimed
            </span>
          ) : null}
          <span className="hint">{standing(provider, status, available)}</span>
        </span>
        <button
          type="button"
          className="icon-button"
          aria-expanded={open}
          aria-label={`Set up ${provider.label}`}
          onClick={() => setOpen(!open)}
        >
          <Turn size={18} aria-hidden />
        </button>
      </div>
      {open ? (
        <>
          <ProviderForm provider={provider} onTested={() => undefined} />
          {forget.error ? <Note kind="danger">{problemOf(forget.error).message}</Note> : null}
          {isReady(provider) ? (
            <div className="actions">
              <button type="button" className="button danger" onClick={() => forget.mutate()}>
                Forget what was set here
              </button>
            </div>
          ) : null}
        </>
      ) : null}
    </li>
  );
}

export function ProvidersSection() {
  const providers = useProviders();
  if (!providers.data) return <p className="hint">{providers.error ? problemOf(providers.error).message : "Loading …"}</p>;
  const available = new Set(providers.data.available);
  const ordered = [...providers.data.providers].sort((one, other) => Number(isReady(other)) - Number(isReady(one)));
  return (
    <div className="stack">
      <p className="hint">A key that is set here is sealed on this server, works at once, and is never shown again.</p>
      <ul className="rows">
        {ordered.map((provider) => (
          <ProviderRow key={provider.name} provider={provider} available={available.has(provider.name)} />
        ))}
      </ul>
    </div>
  );
}
