// Counts this tab of a session: a join, a heartbeat every 30 s, a leave. It sends a random id and keeps nothing.
// <script src="https://…/beacon.js" data-session="…" defer></script>; data-state becomes "here" or "away".
(() => {
  "use strict";
  const script = document.currentScript;
  const session = script && script.dataset.session;
  if (!/^[a-z0-9-]+$/.test(session || "") || !/^http/.test(script.src)) return;
  if (!window.fetch || !window.crypto || !navigator.sendBeacon) return;

  const address = new URL("beacon/" + session, script.src).href;
  let id, joined, busy;

  const renew = () => {
    id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
    joined = busy = false;
  };
  const body = (kind) => JSON.stringify({ id, kind });

  const beat = async () => {
    if (busy) return;
    busy = true;
    const mine = id;
    let status = 0;
    try {
      const signal = AbortSignal.timeout?.(20000);
      status = (await fetch(address, { method: "POST", body: body(joined ? "beat" : "join"), credentials: "omit", signal })).status;
    } catch {}
    if (mine !== id) return; // left meanwhile
    busy = false;
    if (status === 410 && joined) { // slept for too long
      renew();
      return beat();
    }
    if (status === 204) joined = true;
    script.dataset.state = status === 204 ? "here" : "away";
  };

  const start = () => {
    renew();
    beat();
    setInterval(beat, 30000);
    document.addEventListener("visibilitychange", () => document.hidden || beat());
    addEventListener("pagehide", () => {
      if (joined || busy) navigator.sendBeacon(address, body("leave"));
      renew();
    });
    addEventListener("pageshow", (event) => event.persisted && beat());
  };
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
