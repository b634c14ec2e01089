// Nodes are made one by one, and a text is put in as a text: nothing here, or in any other module, makes markup of one.

/** A node: "tag.class", attributes and listeners, children that are nodes or texts. */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** Makes the children of a list these items. A row that says the same stays, so that focus and selection stay too. */
export function fill(list, items, keyOf, build) {
  const held = new Map([...list.children].map((node) => [node.dataset.key, node]));
  const active = list.contains(document.activeElement) ? document.activeElement : null;
  const row = active?.closest("[data-key]");
  const spot = active && { key: row?.dataset.key, name: active.dataset.focus };
  for (const node of list.children) if (!node.dataset.key) node.remove();
  let at = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const sign = JSON.stringify(item);
    let node = held.get(key);
    held.delete(key);
    if (!node || node.sign !== sign) {
      const made = build(item);
      made.dataset.key = key;
      made.sign = made.hasChildNodes() ? sign : "";
      if (node) {
        if (at === node) at = made;
        node.replaceWith(made);
      }
      node = made;
    }
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
  for (const node of held.values()) node.remove();
  if (!spot || list.contains(document.activeElement)) return;
  const again = [...list.children].find((node) => node.dataset.key === spot.key);
  const same = again && [...again.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === spot.name);
  (same ?? list.closest("section")?.querySelector("h2"))?.focus();
}

let offset = 0;

/** What the server's clock says beyond this one's. */
export function setClock(now) {
  offset = Date.parse(now) - Date.now();
}

function span(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function tick(node) {
  const left = Number(node.dataset.at) - (Date.now() + offset);
  const text = left > 0 ? `${span(left + 999)} left` : node.dataset.past === "ago" ? `${span(-left)} ago` : "deadline passed";
  if (node.textContent !== text) node.textContent = text;
  node.classList.toggle("soon", left > 0 && left < 60_000);
}

/** A deadline that counts down, or an instant that recedes. */
export function clock(at, past) {
  if (!at) return h("span.due");
  const node = h("time.due", { datetime: at, title: at, "data-at": Date.parse(at), "data-past": past });
  tick(node);
  return node;
}

setInterval(() => document.querySelectorAll("time[data-at]").forEach(tick), 1000);

const numbers = new Intl.NumberFormat("en");

/** A number for people. */
export function num(value) {
  return typeof value === "number" ? numbers.format(Math.round(value * 1000) / 1000) : "–";
}

/** A value in one line. */
export function brief(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A word of a reply, as it is. */
export function pill(word, tone) {
  return h(`span.pill.${tone ?? tones[String(word).toLowerCase()] ?? "calm"}`, null, String(word ?? "–").replaceAll("_", " "));
}

const good = ["healthy", "approved", "decided", "completed", "running", "active", "alive", "ok", "for", "normal"];
const bad = ["failed", "critical", "rejected", "timeout", "timed_out", "overloaded", "down", "revoked", "aborted", "against", "lost", "dead"];
const odd = ["degraded", "stuck", "suspect", "busy", "stressed", "pending", "unknown", "unconfirmed"];
const tones = Object.fromEntries([...good.map((w) => [w, "good"]), ...bad.map((w) => [w, "bad"]), ...odd.map((w) => [w, "odd"])]);

/** Where the timeline of an entity stands on this page. */
export function entity(kind, id) {
  return h("a.id", { href: `#/entity/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`, "data-focus": "id", title: id }, id);
}

/** Tells what became of something, also to who does not see it. */
export function say(text, isBad) {
  const said = document.getElementById("said");
  said.textContent = text;
  said.classList.toggle("bad", Boolean(isBad));
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (said.textContent = ""), 8000);
}
