// Keeps the live page current. The stream's numbers are put in place at once; the words, the curve and the table are
// fetched as a fragment, at most every 5 s and at least every 30 s, which also shows whether the service still answers.
(() => {
  "use strict";
  const live = document.getElementById("live");
  const silence = document.getElementById("silence");
  const say = document.getElementById("say");
  if (!live || !window.EventSource) return;

  const seconds = 1000;
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  let heard = Date.now(), fetched = Date.now(), said = 0, changed = false, fetching = false;

  const hear = () => {
    heard = Date.now();
    silence.hidden = true;
    live.classList.remove("quiet");
  };

  // The time is written in the session's zone, as everywhere on the page.
  const fallSilent = () => {
    const at = new Date(heard + live.dataset.offset * 60 * seconds);
    const two = (n) => String(n).padStart(2, "0");
    silence.textContent = silence.dataset.text.replace("{h}", two(at.getUTCHours())).replace("{m}", two(at.getUTCMinutes()));
    silence.hidden = false;
    live.classList.add("quiet");
  };

  const announce = () => {
    const text = document.getElementById("figures").dataset.say;
    if (text === say.textContent || Date.now() - said < 15 * seconds) return;
    said = Date.now();
    say.textContent = text;
  };

  const replace = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("figures");
    if (!fresh) return;
    const open = Boolean(live.querySelector("details[open]"));
    const focused = live.contains(document.activeElement);
    live.replaceChildren(document.adoptNode(fresh));
    const details = live.querySelector("details");
    if (details) details.open = open;
    if (focused) live.querySelector("summary")?.focus();
  };

  const refresh = async () => {
    fetching = true;
    fetched = Date.now();
    changed = false;
    try {
      const answer = await fetch(live.dataset.fragment, { signal: AbortSignal.timeout(10 * seconds) });
      if (!answer.ok) throw new Error(answer.status);
      replace(await answer.text());
      hear();
    } catch {
      fallSilent();
    }
    fetching = false;
  };

  const stream = new EventSource(live.dataset.stream);
  stream.addEventListener("snapshot", (event) => {
    const session = JSON.parse(event.data);
    const figures = { ...session.attendance, respondents: session.feedback.respondents };
    for (const place of live.querySelectorAll("[data-figure]")) {
      const n = figures[place.dataset.figure];
      place.textContent = n === null ? "–" : numbers.format(n);
    }
    changed = true;
    hear();
  });
  stream.addEventListener("error", fallSilent);

  setInterval(() => {
    const since = Date.now() - fetched;
    if (!fetching && (since > 30 * seconds || (changed && since > 5 * seconds))) refresh();
    announce();
  }, seconds);
})();
