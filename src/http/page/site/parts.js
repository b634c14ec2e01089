// The parts of the page: what each shows of the reply of its operation, in the words of that reply.
import { h, fill, clock, num, brief, entity } from "./dom.js";

export const many = (count, one, more) => `${num(count)} ${count === 1 ? one : (more ?? `${one}s`)}`;

function tally(yes, no, other, all, words) {
  const rest = Math.max(0, (all ?? 0) - yes - no - other);
  const sum = Math.max(1, yes + no + other + rest);
  const bar = h("span.bar", { "aria-hidden": "true" });
  for (const [count, name] of [[yes, "yes"], [no, "no"], [other, "other"]]) {
    const piece = h(`i.${name}`);
    piece.style.width = `${(100 * count) / sum}%`;
    bar.append(piece);
  }
  return h("span.tally", null, bar, h("span", null, words));
}

function decision(kind, id, question, tallied, deadline, act, note) {
  const button = h("button.small", { type: "button", "data-focus": "vote", "aria-label": `Vote on ${id}`, click: () => act.vote(kind, id) }, "Vote");
  const text = brief(question);
  return h("li.row.decision", null, h("span.what", null, entity(kind, id), h("span.question", { title: text }, text || h("em", null, "no text"))), tallied, h("span.when", null, clock(deadline), note), button);
}

function quorum(line, act) {
  const needed = `${num(line.approve_votes)} of ${num(line.required_votes)} approvals · ${many(line.reject_votes, "rejection")}`;
  const out = line.outstanding_count === undefined ? "" : ` · ${num(line.outstanding_count)} outstanding`;
  const all = line.voter_count ?? Math.max(line.required_votes, line.approve_votes + line.reject_votes);
  return decision("quorum", line.quorum_id, line.subject ?? [line.quorum_type, line.cell_id].filter(Boolean).join(" "), tally(line.approve_votes, line.reject_votes, 0, all, needed + out), line.deadline, act);
}

function proposal(line, act) {
  const all = line.metadata.total_participants;
  const cast = line.votes_for + line.votes_against + line.votes_abstain;
  const abstain = line.votes_abstain ? ` · ${num(line.votes_abstain)} abstain` : "";
  const words = `${num(line.votes_for)} for · ${num(line.votes_against)} against${abstain} · ${num(Math.max(0, all - cast))} outstanding`;
  return decision("proposal", line.proposal_id, line.proposal, tally(line.votes_for, line.votes_against, line.votes_abstain, all, words), line.deadline, act, h("span.note", null, line.algorithm_used));
}

function sessionLine(line, act) {
  const words = `${num(line.total_votes)} of ${many(line.n, "vote")} · round ${num(line.round)}`;
  const lie = line.byzantine_faults_detected ? h("span.note.bad", null, `${many(line.byzantine_faults_detected, "voter")} proven to lie`) : null;
  return decision("session", line.session_id, line.proposal, tally(0, 0, line.total_votes, line.n, words), line.deadline, act, lie);
}

const lines = (reply, name) => reply[name] ?? Object.values(reply).find(Array.isArray) ?? [];
/** The rows that come after the first view. */
export const LATE = {};
const late = (name) => (line, act) => LATE[name]?.(line, act) ?? h("li.row");

const stat = (view, part, name) => view.parts[part]?.reply?.[name];

/** Every list: where it stands, its part of the view, its lines, how many there are, and what an empty one says. */
export const LISTS = [
  { part: "overview", name: "problems", at: "top", title: "What is wrong", rows: "problems", id: (line) => line.problem + line.detail, row: late("problem"), hideEmpty: true, kinds: [], total: (v) => stat(v, "overview", "problems_total") },
  { part: "stops", at: "top", title: "Stops in force", rows: "stops", id: "stop_id", row: late("stop"), hideEmpty: true, kinds: ["stop"] },
  { part: "overview", name: "overdue", at: "top", title: "Overdue", rows: "overdue", id: (line) => line.kind + line.id, row: late("overdue"), hideEmpty: true, kinds: [], total: (v) => stat(v, "overview", "overdue_total") },
  { part: "waiting_quorums", at: "waiting", rows: "quorums", id: "quorum_id", row: quorum, kinds: ["quorum"] },
  { part: "waiting_proposals", at: "waiting", rows: "proposals", id: "proposal_id", row: proposal, kinds: ["proposal"] },
  { part: "waiting_sessions", at: "waiting", rows: "sessions", id: "session_id", row: sessionLine, kinds: ["session"] },
  { part: "quorums", at: "left", title: "Open quorums", rows: "quorums", id: "quorum_id", row: quorum, kinds: ["quorum"], total: (v) => stat(v, "quorums", "open"), empty: ["No quorum is open. One is opened with ", "quorate quorum start"] },
  { part: "proposals", at: "left", title: "Open proposals", rows: "proposals", id: "proposal_id", row: proposal, kinds: ["proposal"], total: (v) => stat(v, "consensus_stats", "active_proposals"), empty: ["No proposal is open. One is put to the agents with ", "quorate consensus request"] },
  { part: "sessions", at: "left", title: "Open sessions", rows: "sessions", id: "session_id", row: sessionLine, kinds: ["session"], total: (v) => stat(v, "sessions", "open"), empty: ["No session is open. One is opened with ", "quorate session open"] },
  { part: "jobs", at: "right", title: "Jobs", rows: "jobs", id: (line) => `${line.job_id}@${line.datacenter}`, row: late("job"), kinds: ["job", "gate", "worker"], total: (v) => stat(v, "jobs", "live"), empty: ["No job is live. One is submitted with ", "quorate job submit"] },
  { part: "leases", at: "right", title: "Leaders", rows: "leases", id: (line) => `${line.job_id}@${line.datacenter}`, row: late("lease"), kinds: ["job", "gate"], hideEmpty: true },
  { part: "workers", at: "right", title: "Workers", rows: "workers", id: "worker_id", row: late("worker"), kinds: ["worker", "job"], hideEmpty: true },
  { part: "cells", at: "right", title: "Cells and their load", rows: "cells", id: "cell_id", row: late("cell"), kinds: ["cell", "budget", "topology"], total: (v) => stat(v, "cells", "total_available"), empty: ["No cell is registered. One is registered with ", "quorate cell register"] },
  { part: "agents", at: "right", title: "Agents", rows: "agents", id: "agent_id", row: late("agent"), kinds: ["agent"], total: (v) => stat(v, "agents", "total_available"), empty: ["No agent is registered. One is registered with ", "quorate agent register"] },
  { part: "members", at: "right", title: "Members", rows: "members", id: "node_id", row: late("member"), kinds: ["member"], hideEmpty: true, drawn: true },
];

const COUNTS = { quorum: ["quorum_stats"], proposal: ["consensus_stats"], job: ["job_stats"], cell: ["capacity_stats"], agent: ["agent_stats"], load: ["load"] };

/** The parts that an event of an entity of this kind may change; none where it may be any. */
export function changedBy(kind) {
  const parts = LISTS.filter((list) => list.kinds.includes(kind)).map((list) => list.part).concat(COUNTS[kind] ?? []);
  return parts.length ? parts : undefined;
}

/** The line of numbers at the top. */
export function tiles(view, waiting) {
  const open = [stat(view, "quorum_stats", "active_quorums"), stat(view, "consensus_stats", "active_proposals"), stat(view, "sessions", "open")];
  const sum = open.reduce((a, b) => a + (b ?? 0), 0);
  const health = stat(view, "agent_stats", "health_distribution");
  const load = stat(view, "load", "state");
  const tile = (name, value, note, tone) => h("div.tile", null, h("dt", null, name), h("dd", null, h(tone ? `b.${tone}` : "b", null, value), h("small", null, note)));
  return [
    tile("Open decisions", num(sum), ["quorum", "proposal", "session"].map((kind, at) => many(open[at] ?? 0, kind)).join(", ")),
    waiting === undefined ? null : tile("Waiting for you", num(waiting), view.voter ? `votes of ${view.voter}` : "", waiting ? "accent" : ""),
    tile("Live jobs", num(stat(view, "job_stats", "tracked_jobs") ?? 0), `${num(stat(view, "job_stats", "submitted") ?? 0)} submitted in all`),
    tile("Agents", num(stat(view, "agent_stats", "total_agents") ?? 0), health ? `${num(health.healthy)} healthy, ${num(health.failed)} failed` : "", health?.failed ? "bad" : ""),
    tile("Load", load ? load.replaceAll("_", " ") : "–", load ? `${num(stat(view, "load", "in_flight"))} in flight` : "", load && load !== "healthy" ? "odd" : ""),
  ];
}

/** A section for a list, to be brought up to date by `show`. */
export function section(list, act) {
  const name = list.name ?? list.part;
  const heading = h("h2", { tabindex: -1, id: `h-${name}` }, list.title, " ", h("span.count"));
  const rows = h("ul.rows", { "aria-labelledby": heading.id });
  const drawing = list.drawn && h("div");
  const note = h("p.quiet");
  const back = h("button.small", { type: "button", hidden: true, "data-focus": "back", click: () => act.page(list.part, -1) }, "Back");
  const next = h("button.small", { type: "button", hidden: true, "data-focus": "next", click: () => act.page(list.part, 1) });
  const pager = h("p.pager", null, back, next);
  const node = h("section.card", { "aria-labelledby": heading.id, id: name, hidden: true }, heading, drawing, rows, note, pager);
  return { node, show };

  function show(view, depth) {
    const part = view.parts[list.part];
    node.hidden = !part;
    if (!part) return;
    const reply = part.reply;
    const items = reply ? lines(reply, list.rows) : [];
    // A process that is no node of a cluster has no members to show.
    const isNone = reply ? !items.length : part.error.kind === "not_found";
    if (list.hideEmpty && isNone) node.hidden = true;
    else if (drawing) import("./map.js").then(({ draw }) => draw(drawing, items));
    const total = reply && (list.total?.(view) ?? (reply.more ? undefined : items.length + (reply.not_shown ?? 0)));
    heading.lastChild.textContent = total === undefined ? (reply?.more ? `${items.length}+` : "") : num(total);
    fill(rows, items, (item) => String(typeof list.id === "function" ? list.id(item) : item[list.id]), (item) => list.row(item, act));
    note.replaceChildren();
    if (!reply) note.append(`Not shown: ${part.error.kind}. ${part.error.message}`);
    else if (!items.length && list.empty) note.append(list.empty[0], h("code", null, list.empty[1]), ".");
    else if (reply.not_shown) note.append(`${num(reply.not_shown)} more`);
    note.hidden = !note.hasChildNodes();
    back.hidden = !depth;
    next.hidden = !reply?.more;
    pager.hidden = back.hidden && next.hidden;
    const seen = depth * act.lines(list.part) + items.length;
    next.textContent = total > seen ? `${num(total - seen)} more` : "More";
  }
}
