// Where the members stand, by the round trips between them.
const SIZE = [320, 180];
/** An identifier; nothing is asked for there. */
const NAMES = "http://www.w3.org/2000/svg";

function svg(name, attributes, text) {
  const node = document.createElementNS(NAMES, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

/** The two directions of a coordinate in which the members differ most. */
function widest(points) {
  const spread = points[0].map((_, axis) => [Math.max(...points.map((p) => p[axis])) - Math.min(...points.map((p) => p[axis])), axis]);
  return spread.sort((a, b) => b[0] - a[0]).slice(0, 2).map(([, axis]) => axis);
}

/** Draws the members that have a place. Distance is round-trip time, without what each node adds by itself. */
export function draw(place, members) {
  const known = members.filter((member) => member.coordinate?.vec?.length > 1);
  place.hidden = known.length < 2;
  if (place.hidden) return;
  const [x, y] = widest(known.map((member) => member.coordinate.vec));
  const at = (axis) => known.map((member) => member.coordinate.vec[axis]);
  const low = [Math.min(...at(x)), Math.min(...at(y))];
  const wide = Math.max(Math.max(...at(x)) - low[0], ((Math.max(...at(y)) - low[1]) * SIZE[0]) / SIZE[1], 1e-6);
  const drawing = svg("svg", { viewBox: `-20 -16 ${SIZE[0] + 40} ${SIZE[1] + 32}`, role: "img", "aria-label": `${known.length} members by the round trips between them`, class: "map" });
  for (const member of known) {
    const left = ((member.coordinate.vec[x] - low[0]) / wide) * SIZE[0];
    const top = ((member.coordinate.vec[y] - low[1]) / wide) * SIZE[0];
    drawing.append(svg("circle", { cx: left, cy: top, r: member.is_self ? 7 : 5, class: `dot ${member.state.toLowerCase()}` }), svg("text", { x: left, y: top - 9, class: "name", "text-anchor": "middle" }, member.node_id.slice(0, 24)));
  }
  place.replaceChildren(drawing);
}
