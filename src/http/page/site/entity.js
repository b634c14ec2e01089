// One entity: how it stands, and everything that is recorded of it.
import { h, brief, clock, num, pill, fill, entity } from "./dom.js";
import { ask } from "./door.js";

const LINES = 50;

const STATUS = {
  quorum: (id) => [`api/v1/quorum/${id}/status`, "status"],
  proposal: (id) => [`api/v1/consensus/${id}/result`, "result"],
  session: (id) => [`api/v1/sessions/${id}/result`, "result"],
  cell: (id) => [`api/v1/backpressure/${id}/status`, "status"],
  agent: (id) => [`api/v1/agent/${id}/health`, "agent"],
  worker: (id) => [`api/v1/workers/${id}/status`, "status"],
  voter: (id) => [`api/v1/voters/${id}/state`, "voter"],
};

const NAMED = /^(voter|agent|leader|holder|worker|cell|job|quorum|proposal|session|parent_quorum|fallback_quorum)_id$|^(decided_by|lease_holder|identity|cancelled_by)$/;

const isInstant = (given) => typeof given === "string" && /^\d{4}-\d\d-\d\dT/.test(given) && !Number.isNaN(Date.parse(given));

const instant = (text) => text.replace("T", " ").replace(/(\.\d{3})\d*/, "$1");

/** A value as nodes: names of others lead to them, long ones are folded up. */
function value(name, given) {
  if (given === null || given === undefined) return h("span.quiet", null, "–");
  if (typeof given === "string" && NAMED.test(name)) return h("a.id", { href: `#/entity//${encodeURIComponent(given)}` }, given);
  if (isInstant(given)) return h("span", null, clock(given, "ago"), h("span.quiet", null, ` · ${instant(given)}`));
  if (typeof given === "number") return h("span.num", null, num(given));
  if (typeof given === "boolean") return String(given);
  if (typeof given === "string" && given.length < 200) return given || h("span.quiet", null, "empty");
  const text = typeof given === "string" ? given : JSON.stringify(given, null, 2);
  if (text.length < 80) return h("code", null, brief(given));
  return h("details", null, h("summary", null, Array.isArray(given) ? `${num(given.length)} entries` : `${text.slice(0, 60)}…`), h("pre", { tabindex: 0 }, text));
}

const words = (name) => name.replaceAll("_", " ");

function facts(reply) {
  const shown = Object.entries(reply).filter(([name, given]) => name !== "votes" && given !== null && !(Array.isArray(given) && !given.length) && !(typeof given === "object" && !Array.isArray(given) && !Object.keys(given).length));
  return h("dl.facts", null, shown.map(([name, given]) => [h("dt", null, words(name)), h("dd", null, value(name, given))]));
}

function votes(cast) {
  const row = ([voter, vote]) => {
    const word = vote.vote === true ? "approve" : vote.vote === false ? "reject" : (vote.vote ?? vote.supports?.join(", "));
    return h("tr", null, h("td", null, value("voter_id", voter), vote.in_place_of && h("span.note", null, ` for ${vote.in_place_of}`)), h("td", null, pill(word, /^(approve|for)$/.test(word) ? "good" : /^(reject|against)$/.test(word) ? "bad" : "calm"), vote.counted === false && h("span.note", null, " not counted")), h("td", null, vote.reason ?? vote.reasoning ?? ""), h("td", null, vote.value !== undefined && h("code", null, brief(vote.value))), h("td", null, clock(vote.cast_at ?? vote.received_at, "ago")));
  };
  const head = ["voter", "vote", "reason", "answer", "cast"].map((name) => h("th", { scope: "col" }, name));
  return h("div.wide", { tabindex: 0, role: "region", "aria-label": "Votes" }, h("table", null, h("thead", null, h("tr", null, head)), h("tbody", null, Object.entries(cast).map(row))));
}

/** One event; with its entity where that is another than the one that is looked at. */
function step(event, id) {
  const scalar = Object.entries(event.data ?? {}).filter(([, given]) => ["string", "number", "boolean"].includes(typeof given) && given !== "" && given !== false && !isInstant(given) && !/^[0-9a-f]{64}$/.test(given));
  const short = scalar.slice(0, 5).flatMap(([name, given], at) => [at ? " · " : "", `${words(name)} `, NAMED.test(name) ? value(name, given) : h("span", null, brief(given).slice(0, 160))]);
  return h("li.step", null,
    h("span.seq", { title: `position ${event.position}` }, num(event.seq)),
    h("div", null,
      h("p", null, event.entity_id !== id && [`${event.kind} `, entity(event.kind, event.entity_id), " "], h("b", null, words(event.event)), " ", h("time", { datetime: event.at, title: event.at }, instant(event.at)), event.identity && [" by ", value("identity", event.identity)]),
      h("p.question", null, short),
      h("details", null, h("summary", { "data-focus": "data" }, "everything recorded"), h("pre", { tabindex: 0 }, JSON.stringify(event.data, null, 2)), h("p.hash", null, "hash ", h("code", null, event.hash)))));
}

/** Shows an entity in this place. What it returns takes the events that are recorded from then on. */
export function openEntity(main, { kind, id }, act) {
  document.title = `${id} · Quorate`;
  const standing = h("div");
  const steps = h("ol.steps");
  const note = h("p.quiet", { role: "status" }, "Loading.");
  const older = h("button", { type: "button", hidden: true, click: () => extend() }, "Older");
  const title = h("h1", null, kind && pill(kind, "calm"), " ", h("span.id", null, id));
  const actions = h("span");
  const timeline = h("section.card", { "aria-labelledby": "h-steps" }, h("h2", { id: "h-steps" }, "Timeline"), note, steps, h("p.pager", null, older));
  main.replaceChildren(h("p", null, h("a", { href: "#/" }, "← Overview")), h("div.head", null, title, actions), standing, timeline);
  let events = [];
  let known = kind;
  let pending;

  const path = encodeURIComponent(id);
  const log = (cursor, limit) => ask(`api/v1/history/entity/${path}?limit=${limit}${known ? `&kind=${encodeURIComponent(known)}` : ""}${cursor ? `&cursor=${cursor}` : ""}`);

  function show(revision) {
    fill(steps, [...events].reverse(), (event) => String(event.seq), (event) => step(event, id));
    const first = events[0]?.seq ?? 1;
    older.hidden = first <= 1;
    older.textContent = `${num(Math.min(LINES, first - 1))} older of ${num(first - 1)}`;
    note.textContent = `${num(revision)} ${revision === 1 ? "event" : "events"}, the newest first`;
  }

  /** Several kinds may have this id: the first that is recorded is shown. */
  async function first() {
    const page = await ask(`api/v1/history?party_id=${path}&limit=1000`);
    return page.events.find((event) => event.entity_id === id)?.kind;
  }

  /** Reads the newest page; the log says how long it is. */
  async function load() {
    try {
      known ||= await first();
      if (!known) return await naming();
      let page = await log(0, LINES);
      if (page.revision > page.events.length) page = await log(page.revision - LINES, LINES);
      known = page.kind;
      const newest = page.events[0]?.seq ?? 0;
      events = [...events.filter((event) => event.seq < newest), ...page.events];
      show(page.revision);
      title.firstChild.replaceWith(pill(known, "calm"));
      await status();
    } catch (error) {
      if (error.kind === "not_found") await naming();
      else note.textContent = `${error.kind}: ${error.message}`;
    }
  }

  /** What has no log of its own may be named in those of others: a voter, a leader, a cell that lends nothing. */
  async function naming() {
    const by = known === "cell" ? "cell_id" : "party_id";
    const page = await ask(`api/v1/history?${by}=${path}&limit=${LINES}`).catch(() => ({ events: [] }));
    fill(steps, page.events, (event) => String(event.position), (event) => step(event, id));
    note.textContent = page.events.length ? `It has no log of its own. ${page.more ? `The first ${num(LINES)} events` : "The events"} that name it, the oldest first` : "Nothing is recorded under this id.";
    if (known) await status().catch(() => undefined);
  }

  async function extend() {
    older.disabled = true;
    const first = events[0].seq;
    const from = Math.max(0, first - 1 - LINES);
    const page = await log(from, first - 1 - from);
    events = [...page.events, ...events];
    show(page.revision);
    older.disabled = false;
  }

  async function status() {
    const parts = [];
    if (known === "job") {
      const [name] = id.split("@");
      const { status } = await ask(`api/v1/jobs/${encodeURIComponent(name)}/status`);
      parts.push(...[...status.datacenters, ...(status.elsewhere ?? [])].map((one) => h("section.card", null, h("h2", null, "Status ", pill(one.status)), facts(one))));
      const why = await ask(`api/v1/jobs/${encodeURIComponent(name)}/why`).catch(() => null);
      if (why) parts.push(h("section.card", null, h("h2", null, "Why"), h("ol.why", null, why.why.chain.map((link) => h("li", null, h("span.seq", null, num(link.seq)), " ", link.sentence)))));
    } else if (STATUS[known]) {
      const [where, key] = STATUS[known](path);
      const { [key]: reply } = await ask(where);
      const word = reply.state ?? reply.status ?? reply.health ?? reply.phase;
      parts.push(h("section.card", null, h("h2", null, "Status ", word && pill(word)), facts(reply)));
      if (reply.votes && Object.keys(reply.votes).length) parts.push(h("section.card", null, h("h2", null, "Votes"), votes(reply.votes)));
      const isOpen = { quorum: reply.state === "open", proposal: reply.state === "open", session: reply.status === "collecting_votes" }[known];
      actions.replaceChildren(...(isOpen ? [h("button.primary", { type: "button", click: () => act.vote(known, id) }, "Vote")] : []));
    }
    standing.replaceChildren(...parts);
  }

  load();
  return {
    event(event) {
      if (event.entity_id !== id || (known && event.kind !== known)) return;
      pending ??= setTimeout(() => {
        pending = undefined;
        load();
      }, 300);
    },
  };
}

/** Checks the journal, and says what was found. */
export async function verify(button, verdict) {
  button.disabled = true;
  verdict.replaceChildren(h("p.quiet", null, "Checking every record."));
  try {
    const { verified } = await ask("api/v1/history/verify");
    const { ok, records, streams, groups, tip_hash: tip, broken, opens, refusal, log } = verified;
    const found = [h("p", null, pill(ok ? "whole" : "broken", ok ? "good" : "bad"), ` ${num(records)} records of ${num(streams)} entities in ${num(groups)} groups fit together.`)];
    if (broken) found.push(h("p.bad", null, `Group ${num(broken.group)}${broken.entity ? `, ${broken.entity}` : ""}${broken.seq ? `, seq ${num(broken.seq)}` : ""}: ${broken.why}`));
    if (!opens) found.push(h("p.bad", null, refusal ?? "The store cannot be opened as it is."));
    if (log) found.push(h("p", null, log.contained ? `The newest checkpoint, over ${num(log.size)} records, is contained.` : `The newest checkpoint is not contained: ${log.why}`));
    found.push(h("p.hash", null, "tip hash ", h("code", null, tip)));
    verdict.replaceChildren(...found);
  } catch (error) {
    verdict.replaceChildren(h("p.bad", null, `${error.kind}: ${error.message}`));
  } finally {
    button.disabled = false;
  }
}
