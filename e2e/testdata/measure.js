// What the tests measure in a page. They put it there through the browser's protocol: the service never sends it.
window.measure = (() => {
  const seen = e => e.checkVisibility({ visibilityProperty: true });
  const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.className ? "." + e.className : "") + " " + JSON.stringify((e.innerText ?? "").slice(0, 40));

  // stops are what Tab goes to, in the order of reading; a group of radio buttons is one stop.
  const stops = () => {
    const groups = new Set();
    return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(e => {
      if (!seen(e) || e.disabled) return false;
      if (e.type !== "radio") return true;
      const first = !groups.has(e.name);
      groups.add(e.name);
      return first;
    });
  };
  // stop is the number of the focused one; -1 for none of them.
  const stop = () => {
    const e = document.activeElement;
    return stops().findIndex(s => s === e || (e.type === "radio" && s.name === e.name));
  };
  // ring is what shows the focus: the outline of the element, or of the label that is pressed for it.
  const ring = () => {
    const e = document.activeElement;
    const widths = [e, e.closest("label")].filter(Boolean).map(getComputedStyle).map(s => s.outlineStyle === "none" ? 0 : parseFloat(s.outlineWidth));
    const box = e.getBoundingClientRect();
    const there = box.bottom > 0 && box.top < innerHeight && box.width > 0;
    return { name: name(e), stop: stop(), width: Math.max(...widths), there };
  };
  // small lists what is pressed and smaller than 44 px. Links in running text are as high as their line.
  const small = () => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter(e => seen(e) && !e.matches(".skip")).flatMap(e => {
    const target = e.closest("label") ?? e;
    if (getComputedStyle(target).display === "inline") return [];
    const { width, height } = target.getBoundingClientRect();
    return width < 44 - 0.1 || height < 44 - 0.1 ? [`${name(e)} ${width.toFixed(1)} × ${height.toFixed(1)}`] : [];
  });
  // wide lists what makes the page scroll sideways, or holds more than it shows. A table may scroll within its box.
  const wide = () => {
    const scrolls = e => /auto|scroll/.test(getComputedStyle(e).overflowX);
    const within = e => { for (let p = e.parentElement; p; p = p.parentElement) if (scrolls(p) && p.matches(".wide")) return true; return false; };
    const out = [...document.querySelectorAll("body, body *:not(svg *)")].filter(e => {
      if (!seen(e) || within(e) || scrolls(e) || e.matches(".unseen, .skip")) return false;
      const box = e.getBoundingClientRect();
      return box.right > innerWidth + 1 || box.left < -1 || e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1;
    }).map(name);
    if (document.scrollingElement.scrollWidth > innerWidth) out.push("the page");
    return out;
  };
  // boxes are the places of all that has a box of its own, to compare with those of the mirrored page.
  const boxes = () => [...document.querySelectorAll("body *:not(svg, svg *)")].filter(e => seen(e) && !e.matches(".unseen, .skip") && getComputedStyle(e).display !== "inline" && e.tagName !== "BR")
    .map(e => { const { left, right } = e.getBoundingClientRect(); return { e, left, right }; });
  const unmirrored = () => {
    const before = boxes();
    document.documentElement.dir = "rtl";
    const off = before.filter(({ e, left, right }) => {
      const now = e.getBoundingClientRect();
      return Math.abs(now.left - (innerWidth - right)) > 1.5 || Math.abs(now.right - (innerWidth - left)) > 1.5;
    }).map(({ e }) => name(e));
    return off;
  };
  // space asks for the distances of WCAG 1.4.12, with a stylesheet that the page's policy does not see.
  const space = () => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }");
    document.adoptedStyleSheets = [sheet];
  };
  const axe = async tags => {
    const { violations, incomplete, passes } = await window.axe.run(document, { runOnly: tags, rules: { "target-size": { enabled: true } }, resultTypes: ["violations", "incomplete"] });
    const brief = found => found.map(r => ({ rule: r.id, help: r.help, nodes: r.nodes.map(n => n.target.join(" ") + ": " + (n.failureSummary ?? "").replace(/\s+/g, " ")) }));
    return JSON.stringify({ violations: brief(violations), incomplete: brief(incomplete), passes: passes.map(r => r.id) });
  };
  const headings = () => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen).map(h => Number(h.tagName[1]));
  // What a page says without scripts stays to be measured now that they run again.
  for (const n of document.querySelectorAll("noscript")) if (n.children.length) n.replaceWith(...n.childNodes);
  return { stops, stop, ring, small, wide, unmirrored, space, axe, headings, name };
})();
