import { describe, expect, it } from "vitest";
import type { Provider, Providers } from "../api/shapes";
import { chosenTarget } from "./target";

const LOCAL = { name: "local", label: "Local", description: "", status: "ready", local: true, model: "" } as Provider;
const VENDOR = { ...LOCAL, name: "vendor", label: "Vendor", local: false, model: "m-1" } as Provider;
const NOTHING_PREFERRED = { defaultProvider: null, defaultModel: null, defaultTemperature: null, systemPrompt: null };

function told(available: string[], standard: string): Providers {
  return { available, default: standard, providers: [LOCAL, VENDOR], contentLogged: false };
}

describe("whom a new chat asks", () => {
  it("is nobody where nothing was set up, though a server of this machine might run", () => {
    expect(chosenTarget(told([], ""), null, NOTHING_PREFERRED)).toBeNull();
  });

  it("is the server's default, else what else is available", () => {
    expect(chosenTarget(told(["vendor"], "vendor"), null, NOTHING_PREFERRED)?.provider).toBe("vendor");
    expect(chosenTarget(told(["vendor"], ""), null, NOTHING_PREFERRED)?.provider).toBe("vendor");
  });

  it("may be a route, which has no model of its own", () => {
    const targets = [{ provider: "vendor", model: "m-1", weight: 1 }];
    const providers: Providers = { ...told(["vendor"], "vendor"), routes: [{ name: "fast", strategy: "priority", streamGuard: "error", targets }] };
    const target = chosenTarget(providers, { provider: "fast" }, NOTHING_PREFERRED);
    expect([target?.provider, target?.model, target?.ready, target?.description]).toEqual(["fast", "", true, "Route: vendor/m-1"]);
  });

  it("is what was chosen, or is preferred, whether or not it was set up", () => {
    expect(chosenTarget(told([], ""), { provider: "local" }, NOTHING_PREFERRED)?.provider).toBe("local");
    expect(chosenTarget(told([], ""), null, { ...NOTHING_PREFERRED, defaultProvider: "local" })?.provider).toBe("local");
  });
});
