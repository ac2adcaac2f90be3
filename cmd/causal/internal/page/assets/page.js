// The page: filters, rows, panels, keys and links.
(async () => {
  const start = performance.now(), $ = id => document.getElementById(id);
  const D = await readData($("data").textContent);
  $("data").remove();
  const read = performance.now() - start, model = newModel(D), N = model.n, modeled = performance.now() - start;

  // Text of events is shown literally, with control characters and direction marks escaped.
  const text = s => String(s).replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    c => c.charCodeAt(0) < 256 ? "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0") : "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  // The start of a text, not cut within a character.
  const startOf = (s, n) => s.length <= n ? s : s.slice(0, /[\ud800-\udbff]/.test(s[n - 1]) ? n - 1 : n);
  // An element with attributes, properties (.name), listeners (on...) and children, which are elements or text.
  function h(name, attributes, ...children) {
    const el = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key[0] == ".") el[key.slice(1)] = value;
      else if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
      else if (key == "color") el.style.background = value;
      else if (value !== false && value !== undefined) el.setAttribute(key, value);
    }
    el.append(...children.flat(9).filter(c => c !== null && c !== undefined && c !== false));
    return el;
  }

  const findingsOf = new Map(), branchOf = new Map(), joins = new Map(), isHead = new Set(D.heads);
  for (const f of D.findings) if (f.event >= 0) findingsOf.set(f.event, [...findingsOf.get(f.event) || [], f]);
  for (const c of D.conflicts) {
    for (const i of c.branches) branchOf.set(i, c);
    if (c.joined >= 0) joins.set(c.joined, c);
  }
  const openCount = D.conflicts.filter(c => c.open).length, isOpen = new Set(D.conflicts.filter(c => c.open).map(c => c.aggregate));
  const count = (n, thing) => `${n.toLocaleString("en")} ${thing}${n == 1 ? "" : "s"}`;
  $("sum").textContent = [D.total > N ? `${N.toLocaleString("en")} of ${count(D.total, "event")}` : count(N, "event"), count(new Set(D.lanes.map(l => l.node)).size, "node"), count(D.aggregates.length, "aggregate"),
    `${count(D.conflicts.length, "conflict")}, ${openCount.toLocaleString("en")} open`, count(D.findings.length, "finding")].join(" · ");
  document.title = "causal · " + D.sources.map(s => text(s.split("/").pop())).join(", ");

  const S = { selected: -1, hovered: -1, query: "", tab: "event", aggregate: null, search: "", theme: null };
  const off = { lane: new Set(), type: new Set(), project: new Set() };
  const V = { shown: [], rowOf: new Int32Array(N), parents: [], edges: [], farEdges: [], relatives: null, hits: [], isHit: new Set(), lanes: [], laneX: [], laneRows: [],
    laneCount: [], laneWidth: 0, textX: 0, head: 44, rowHeight: 26, conePast: [], coneFuture: [] };
  const C = {};
  const p = { D, V, S, C, dark: false, findingsOf, branchOf, joins, text, summary, badges, aggregateName, start: startOf };
  const ROW = 26, scroll = $("scroll"), graph = $("graph"), g = graph.getContext("2d"), map = $("map"), mapPen = map.getContext("2d"), rows = new Map();
  let width = 0, height = 0, lastDraw = 0;

  // Texts of an event.
  const summaries = new Map();
  const value = json => json[0] == '"' ? JSON.parse(json) : json;
  function summary(i) {
    if (!summaries.has(i)) {
      const payload = D.payload(i);
      summaries.set(i, text(payload == "null" ? "" : payload[0] == '"' ? JSON.parse(payload) + "…"
        : members(payload).map(([k, v]) => `${value(k)}=${value(v)}`).join(" ")));
    }
    return summaries.get(i);
  }
  function aggregateName(i) { return text(D.aggregates[D.aggregate[i]].id); }
  const laneName = l => text(D.lanes[l].node) + (D.lanes[l].second ? " (second writer)" : "");
  const who = i => `${laneName(D.lane[i])} @ ${D.clock[i]}`;
  // The badges of an event: their class and text.
  function badges(i, isLong) {
    const list = (findingsOf.get(i) || []).map(f => ["warn", "▲ " + f.kind]);
    if (joins.has(i)) list.push(["good", "joins #" + joins.get(i).number]);
    const c = branchOf.get(i);
    if (c && c.open) list.push(["bad", (c.certain ? "open #" : "perhaps #") + c.number]);
    else if (c && isLong) list.push(["mut", "branch of #" + c.number]);
    return list;
  }
  const badge = ([kind, label]) => h("span", { class: "badge " + kind }, label);
  const dot = a => h("i", { class: "dot", color: aggregateColor(a, p.dark) });

  function setTheme() {
    p.dark = S.theme ? S.theme == "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
    document.documentElement.dataset.theme = p.dark ? "dark" : "light";
    const style = getComputedStyle(document.documentElement);
    for (const name of ["bg", "line", "ink", "mut", "faint", "life", "sel", "selb", "past", "future", "bad", "warn", "shade"]) C[name] = style.getPropertyValue("--" + name).trim();
    if (C.bg.length == 4) C.bg = "#" + [...C.bg.slice(1)].map(c => c + c).join("");
  }

  // The shown events, for which the graph is reduced again.
  function filter() {
    V.shown = [];
    V.rowOf.fill(-1);
    V.laneRows = []; V.laneCount = D.lanes.map(() => 0);
    for (let i = 0; i < N; i++) {
      const l = D.lane[i];
      if (off.lane.has(l) || off.type.has(D.type[i]) || off.project.has(D.aggregates[D.aggregate[i]].project) || S.aggregate !== null && D.aggregate[i] != S.aggregate) continue;
      const row = V.rowOf[i] = V.shown.length;
      V.shown.push(i);
      V.laneRows[l] = V.laneRows[l] ? [V.laneRows[l][0], row] : [row, row];
      V.laneCount[l]++;
    }
    V.lanes = D.lanes.map((_, l) => l).filter(l => V.laneRows[l]);
    V.parents = model.reduce(V.shown);
    V.edges = []; V.farEdges = [];
    for (const i of V.shown) for (const j of V.parents[i]) if (D.lane[j] != D.lane[i]) {
      V.edges.push(j, i);
      if (V.rowOf[i] - V.rowOf[j] > FAR) V.farEdges.push(j, i);
    }
    cone();
    find();
    layout();
  }

  // The light cone of the selected event: on each lane the last row up to which everything is its past, and the first from which on
  // everything is its future.
  function cone() {
    V.relatives = S.selected >= 0 ? model.relatives(S.selected) : null;
    V.conePast = D.lanes.map(() => -1);
    V.coneFuture = D.lanes.map(() => V.shown.length);
    if (!V.relatives) return;
    const isOver = D.lanes.map(() => false);
    V.shown.forEach((i, row) => {
      const l = D.lane[i], kind = V.relatives[i];
      if (kind > 1) isOver[l] = true; else if (!isOver[l]) V.conePast[l] = row;
      if (kind != 2 && i != S.selected) V.coneFuture[l] = V.shown.length; else if (V.coneFuture[l] == V.shown.length) V.coneFuture[l] = row;
    });
  }

  function find() {
    const query = S.query.trim().toLowerCase();
    const has = i => [D.id[i], D.aggregates[D.aggregate[i]].id, D.types[D.type[i]], D.lanes[D.lane[i]].node, summary(i), D.payload(i)].some(s => s.toLowerCase().includes(query));
    V.hits = query ? V.shown.filter(has) : [];
    V.isHit = new Set(V.hits);
    $("hits").textContent = query ? count(V.hits.length, "hit") : "";
  }

  function layout() {
    width = scroll.clientWidth;
    height = scroll.clientHeight;
    const n = Math.max(1, V.lanes.length), hasText = V.rowHeight >= 15;
    V.laneWidth = Math.max(2, Math.min(hasText ? 78 : 240, (hasText ? Math.min(width * .48, n * 68) : width - 40) / n));
    V.laneX = [];
    V.lanes.forEach((l, k) => V.laneX[l] = 26 + V.laneWidth * (k + .5));
    V.textX = 26 + V.laneWidth * n + 14;
    V.head = V.laneWidth < 44 ? 104 : 44;
    clearRows();
    $("empty").hidden = V.shown.length > 0;
    $("space").style.height = Math.max(height, V.head + V.shown.length * V.rowHeight + 30) + "px";
    for (const [canvas, w, hh] of [[graph, width, height], [map, 58, map.clientHeight]]) {
      canvas.width = w * devicePixelRatio; canvas.height = hh * devicePixelRatio;
      canvas.style.width = w + "px"; canvas.style.height = hh + "px";
    }
    paintMap();
    draw();
  }

  let frame = 0;
  const redraw = () => { if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); }); };
  function draw() {
    const began = performance.now();
    g.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    g.clearRect(0, 0, width, height);
    paint(g, p, { width, height, scroll: scroll.scrollTop, hasTexts: false });
    drawRows();
    drawMap();
    lastDraw = performance.now() - began;
  }

  // Visible rows with text are elements.
  function clearRows() {
    for (const el of rows.values()) el.remove();
    rows.clear();
  }
  const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const day = new Intl.DateTimeFormat("en-GB", { month: "short", day: "numeric", timeZone: "UTC" });
  const dayOf = i => Math.floor(D.time[i] / 864e5);
  function drawRows() {
    const has = V.rowHeight >= 15;
    const first = has ? Math.max(0, Math.floor((scroll.scrollTop - V.head) / V.rowHeight) - 1) : 0;
    const end = has ? Math.min(V.shown.length, Math.ceil((scroll.scrollTop + height - V.head) / V.rowHeight) + 1) : 0;
    for (const [row, el] of rows) if (row < first || row >= end) { el.remove(); rows.delete(row); }
    for (let row = first; row < end; row++) {
      const i = V.shown[row];
      if (!rows.has(row)) {
        const isNewDay = !row || dayOf(i) != dayOf(V.shown[row - 1]);
        const el = h("div", { class: "ev", id: "e" + i, role: "option", "aria-label": [who(i), aggregateName(i), text(D.types[D.type[i]]), startOf(summary(i), 100), ...badges(i).map(b => b[1])].join(", "), "aria-setsize": V.shown.length, "aria-posinset": row + 1 },
          h("span", { class: "clock", title: "Lamport clock" }, D.clock[i]), dot(D.aggregate[i]), h("span", { class: "agg cut" }, aggregateName(i)),
          h("span", { class: "type cut" }, text(D.types[D.type[i]])), h("span", { class: "pay cut" }, startOf(summary(i), 300)), badges(i).map(badge),
          h("span", { class: "wall" }, isNewDay ? h("b", null, day.format(D.time[i])) : clockTime.format(D.time[i])));
        Object.assign(el.style, { left: V.textX + "px", top: V.head + row * V.rowHeight + "px", height: V.rowHeight + "px", fontSize: Math.min(13, V.rowHeight * .72) + "px" });
        $("rows").append(el);
        rows.set(row, el);
      }
      const el = rows.get(row);
      el.setAttribute("aria-selected", i == S.selected);
      el.classList.toggle("dim", V.relatives !== null && V.relatives[i] == 3 && D.aggregate[i] != D.aggregate[S.selected]);
    }
  }

  // The map of all shown events, open conflicts and findings is painted when they change, and the visible part each time.
  const mapPicture = document.createElement("canvas");
  function paintMap() {
    const m = mapPicture.getContext("2d"), w = 58, hh = map.clientHeight, n = V.shown.length || 1, y = row => row / n * hh, lane = (w - 18) / Math.max(1, D.lanes.length);
    mapPicture.width = map.width; mapPicture.height = map.height;
    m.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    m.globalAlpha = .5;
    for (let row = 0, step = Math.max(1, Math.floor(n / (hh * 3))); row < V.shown.length; row += step) {
      const i = V.shown[row];
      m.fillStyle = [C.mut, C.past, C.future, C.faint][V.relatives ? V.relatives[i] : 0];
      m.fillRect(6 + lane * D.lane[i], y(row), Math.max(1, lane - 1), Math.max(1, hh / n * .8));
    }
    m.globalAlpha = 1;
    const mark = (i, color, x, w2, h2) => { if (i >= 0 && V.rowOf[i] >= 0) { m.fillStyle = color; m.fillRect(x, y(V.rowOf[i]) - h2 / 2, w2, h2); } };
    for (const c of D.conflicts) if (c.open) for (const i of c.branches) mark(i, C.bad, 0, 4, 1.5);
    for (const i of findingsOf.keys()) mark(i, C.warn, w - 11, 9, 3);
    mark(S.selected, C.selb, 0, w, 3);
  }
  function drawMap() {
    const m = mapPen, n = V.shown.length || 1, y = row => row / n * map.clientHeight;
    m.setTransform(1, 0, 0, 1, 0, 0);
    m.clearRect(0, 0, map.width, map.height);
    if (map.width && map.height) m.drawImage(mapPicture, 0, 0);
    m.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const from = Math.max(0, scroll.scrollTop / V.rowHeight), until = Math.min(n, (scroll.scrollTop + height - V.head) / V.rowHeight);
    m.strokeStyle = C.ink; m.globalAlpha = .55; m.lineWidth = 1.5;
    m.strokeRect(1, y(from) + 1, 55, Math.max(5, y(until) - y(from) - 2));
    m.globalAlpha = 1;
  }
  const goToMap = e => { scroll.scrollTop = V.head + e.offsetY / map.clientHeight * V.shown.length * V.rowHeight - height / 2; };
  map.addEventListener("pointerdown", e => { map.setPointerCapture(e.pointerId); goToMap(e); map.onpointermove = goToMap; });
  map.addEventListener("pointerup", () => map.onpointermove = null);

  // Renders again, and keeps the focus.
  function keepFocus(render) {
    const was = document.activeElement, key = was.dataset && was.dataset.focus, caret = was.selectionStart;
    render();
    const now = key && [...document.querySelectorAll("[data-focus]")].find(el => el.dataset.focus == key);
    if (!now || now == was) return;
    now.focus({ preventScroll: true });
    if (now.type == "search") now.setSelectionRange(caret, caret);
  }

  // The filters at the side.
  function side() {
    const countOf = (column, n) => { const of = new Array(n).fill(0); for (const v of column) of[v]++; return of; };
    const byAggregate = countOf(D.aggregate, D.aggregates.length), projects = D.aggregate.map(a => D.aggregates[a].project);
    const section = (title, key, names, counts) => [
      h("h2", null, title, h("button", { "data-focus": "all " + key, "aria-label": "All " + title.toLowerCase(), onclick: () => { off[key].clear(); refilter(); } }, "all")),
      names.map((name, k) => h("label", null, h("input", { type: "checkbox", "data-focus": key + k, "data-key": key, "data-number": k, ".checked": !off[key].has(k),
        onchange: e => { if (e.target.checked) off[key].delete(k); else off[key].add(k); refilter(); } }),
      h("span", { class: "cut", title: name }, name), h("span", { class: "n" }, counts[k].toLocaleString("en"))))];
    const names = D.aggregates.map(a => text(a.id)), search = S.search.toLowerCase();
    const found = names.map((_, a) => a).filter(a => names[a].toLowerCase().includes(search)).sort((a, b) => isOpen.has(b) - isOpen.has(a) || byAggregate[b] - byAggregate[a]);
    keepFocus(() => $("side").replaceChildren(
      ...section("Nodes", "lane", D.lanes.map((_, l) => laneName(l)), countOf(D.lane, D.lanes.length)).flat(),
      ...section("Types", "type", D.types.map(text), countOf(D.type, D.types.length)).flat(),
      ...section("Projects", "project", D.projects.map((uuid, k) => text(D.slugs[k] || uuid)), countOf(projects, D.projects.length)).flat(),
      h("h2", null, "Aggregates", S.aggregate !== null && h("button", { "data-focus": "all aggregates", onclick: () => { S.aggregate = null; refilter(); } }, "all")),
      h("input", { type: "search", id: "find", "data-focus": "find", placeholder: count(D.aggregates.length, "aggregate"), ".value": S.search, "aria-label": "Find aggregate",
        oninput: e => { S.search = e.target.value; side(); } }),
      ...found.slice(0, 60).map(a => h("button", { class: "pick", "data-focus": "aggregate" + a, "aria-pressed": S.aggregate === a, onclick: () => { S.aggregate = S.aggregate === a ? null : a; refilter(); } },
        dot(a), h("span", { class: "cut" }, names[a]), isOpen.has(a) && badge(["bad", "open"]), h("span", { class: "n" }, byAggregate[a]))),
      ...found.length > 60 ? [h("p", { class: "mut pick" }, `${found.length - 60} more: use the search`)] : []));
  }
  // Shows the remaining events, at about the same position.
  function refilter() {
    const middle = V.shown[Math.floor((scroll.scrollTop + height / 2 - V.head) / V.rowHeight)];
    filter();
    if (S.selected >= 0 && V.rowOf[S.selected] >= 0) show(S.selected);
    else if (middle !== undefined) scroll.scrollTop = V.head + V.shown.filter(i => i < middle).length * V.rowHeight - height / 2;
    side(); panel(); setLink(); redraw();
  }

  // The panels.
  const link = i => h("button", { class: "item", "data-go": i, "data-focus": "go" + i, onclick: () => select(i, true) }, dot(D.aggregate[i]), " ", h("b", null, text(D.types[D.type[i]])),
    h("span", { class: "mut" }, ` ${aggregateName(i)}, ${who(i)}`), h("br"), h("span", { class: "mut" }, startOf(summary(i), 90)));
  function panel() {
    const tabs = [["event", "Event"], ["conflicts", `Conflicts ${D.conflicts.length.toLocaleString("en")}`], ["findings", `Findings ${D.findings.length.toLocaleString("en")}`]];
    keepFocus(() => { $("tabs").replaceChildren(...tabs.map(([key, name]) => h("button", { role: "tab", "aria-selected": S.tab == key, "aria-controls": "panel", "data-focus": key, "data-tab": key, onclick: () => { S.tab = key; panel(); setLink(); } }, name)));
    $("panel").replaceChildren(...{ event: eventPanel, conflicts: conflictsPanel, findings: findingsPanel }[S.tab]().flat(9).filter(Boolean)); });
  }
  function conflictsPanel() {
    const list = D.conflicts.filter(c => S.aggregate === null || c.aggregate == S.aggregate).sort((a, b) => b.open - a.open || b.number - a.number);
    return list.length ? list.slice(0, 300).map(c => h("button", { class: "item", "data-conflict": c.number, "data-focus": "conflict" + c.number, onclick: () => select(c.branches[c.branches.length - 1], true) },
      h("b", null, `#${c.number} ${text(D.aggregates[c.aggregate].id)} `), badge(c.open ? ["bad", c.certain ? "open" : "perhaps open"] : ["good", "joined"]),
      h("span", { class: "branch" }, c.branches.map(i => [dot(D.aggregate[i]), h("span", { class: "cut" }, who(i)), h("span", { class: "cut mut" }, summary(i)),
        h("span", { class: "good" }, i == c.winner ? "wins" : "")])),
      h("span", { class: "mut" }, c.open ? "nobody has read all of them" : c.joined < 0 ? "by an event that is not on this page" : `◆ ${who(c.joined)} had read all: ${summary(c.joined)}`))).concat(
      list.length > 300 ? [h("p", { class: "mut" }, `${list.length - 300} more: choose an aggregate`)] : []) : [h("p", { class: "mut" }, "None.")];
  }
  function findingsPanel() {
    return D.findings.length ? D.findings.map(f => h(f.event < 0 ? "div" : "button", { class: "item", "data-focus": "finding" + D.findings.indexOf(f), onclick: () => f.event >= 0 && select(f.event, true) },
      badge(["warn", "▲ " + f.kind]), f.event >= 0 && h("b", null, " " + who(f.event)), h("br"), h("span", { class: "mut" }, text(f.text)))) : [h("p", { class: "mut" }, "None.")];
  }
  function eventPanel() {
    const i = S.selected;
    if (i < 0) return [h("p", { class: "mut" }, "Choose an event to see everything before it (", h("span", { class: "past" }, "past"), "), everything after it (", h("span", { class: "future" }, "future"),
      ") and the events concurrent with it."), h("p", { class: "key mut" }, h("span", null, "● event"), h("span", null, "◆ joins branches"), h("span", { class: "bad" }, "◎ in conflict"),
    h("span", { class: "warn" }, "▲ finding")), h("p", { class: "mut" }, h("kbd", null, "?"), " shows the keys.")];
    const of = [0, 0, 0, 0], seen = D.lanes.map(() => ({ n: 0, of: 0, clock: 0 }));
    V.relatives.forEach((kind, j) => {
      of[kind]++;
      const lane = seen[D.lane[j]];
      lane.of++;
      if (kind == 1) { lane.n++; lane.clock = D.clock[j]; }
    });
    const beside = [], unknown = [];
    for (let j = 0; j < N; j++) if (D.aggregate[j] == D.aggregate[i] && V.relatives[j] == 3) (model.relation(i, j) == "Concurrent" ? beside : unknown).push(j);
    const list = (title, events) => events.length ? [h("h4", null, title), events.slice(0, 40).map(link), events.length > 40 ? h("p", { class: "mut" }, `${events.length - 40} more`) : null] : [];
    const part = (kind, color) => { const el = h("i", { color: `var(--${color})` }); el.style.width = 100 * of[kind] / Math.max(1, N - 1) + "%"; return el; };
    const a = D.aggregates[D.aggregate[i]], payload = D.payload(i), after = [], isHidden = V.rowOf[i] < 0;
    const parents = isHidden ? model.parents : V.parents, ofShown = !isHidden && V.shown.length < N ? ", among shown events" : "";
    for (const j of isHidden ? V.relatives.keys() : V.shown) if (j > i && parents[j].includes(i)) after.push(j);
    return [h("h3", null, text(D.types[D.type[i]])), h("div", { class: "mut" }, dot(D.aggregate[i]), ` ${text(a.id)} · ${text(D.slugs[a.project] || D.projects[a.project])}`),
      isHidden ? h("p", { class: "warn" }, "This event is filtered out.") : null, (findingsOf.get(i) || []).map(f => h("p", null, badge(["warn", "▲ " + f.kind]), " ", text(f.text))), h("p", null, badges(i, true).filter(b => b[0] != "warn").map(badge)),
      h("dl", null, [["ID", h("code", null, D.id[i])], ["node", who(i)], ["wall clock", new Date(D.time[i]).toISOString().replace("T", " ").slice(0, 19) + " UTC"],
        ...isHead.has(i) ? [["", "a head of the aggregate"]] : []].map(([k, v]) => [h("dt", null, k), h("dd", null, v)])),
      payload == "null" ? [] : h("pre", null, (payload[0] == '"' ? JSON.parse(payload) + "…" : indent(payload)).split("\n").map(text).join("\n")),
      h("b", null, "Light cone"), h("div", { class: "cone" }, part(1, "past"), part(3, "faint"), part(2, "future")),
      h("div", { class: "key" }, h("span", { class: "past" }, `${of[1]} past`), h("span", null, `${of[3]} neither`), h("span", { class: "future" }, `${of[2]} future`)),
      h("h4", null, "It had seen" + (D.total > N ? ", among events on this page" : "")), h("div", { class: "seen" }, D.lanes.map((_, l) => [h("span", { class: "cut" }, laneName(l)), h("span", { class: "mut" }, `${seen[l].n ? seen[l].clock : "—"} (${seen[l].n} of ${seen[l].of})`)])),
      list("Direct predecessors" + ofShown, parents[i]), D.cause[i] ? list("Its cause", [i - D.cause[i]]) : [],
      list("Direct successors" + ofShown, after), list("Concurrent in its aggregate", beside), list("Of unknown order in its aggregate", unknown)];
  }

  function show(i) {
    const y = V.head + V.rowOf[i] * V.rowHeight;
    if (y < scroll.scrollTop + V.head + V.rowHeight || y > scroll.scrollTop + height - 2 * V.rowHeight) scroll.scrollTop = y - height / 2;
  }
  // Selects an event, keeping the tab if it was chosen in a list.
  function select(i, keepTab) {
    if (i === undefined) return;
    S.selected = i;
    if (i >= 0 && V.rowOf[i] < 0) {
      S.aggregate = null;
      for (const key in off) off[key].clear();
      filter(); side();
    } else cone();
    if (!keepTab) S.tab = "event";
    if (i >= 0) { show(i); scroll.setAttribute("aria-activedescendant", "e" + i); } else scroll.removeAttribute("aria-activedescendant");
    panel(); setLink(); paintMap(); redraw();
  }

  // The link to the current view: everything is in the fragment.
  function setLink() {
    const q = new URLSearchParams();
    if (S.selected >= 0) q.set("e", D.id[S.selected]);
    if (S.aggregate !== null) { q.set("agg", D.aggregates[S.aggregate].id); q.set("of", D.projects[D.aggregates[S.aggregate].project]); }
    if (V.rowHeight != ROW) q.set("z", V.rowHeight.toFixed(3));
    if (S.query) q.set("q", S.query);
    if (S.tab != "event") q.set("tab", S.tab);
    for (const key in off) if (off[key].size) q.set("no-" + key, [...off[key]].join("."));
    if (S.theme) q.set("theme", S.theme);
    const top = V.shown[Math.round(scroll.scrollTop / V.rowHeight)];
    if (top !== undefined && scroll.scrollTop > 0 && scroll.scrollTop < scroll.scrollHeight - height - 1) q.set("top", D.id[top]);
    history.replaceState(null, "", "#" + q);
  }
  function readLink() {
    const q = new URLSearchParams(location.hash.slice(1));
    const a = q.has("agg") ? D.aggregates.findIndex(one => one.id == q.get("agg") && (!q.has("of") || D.projects[one.project] == q.get("of"))) : -1;
    S.aggregate = a < 0 ? null : a;
    S.query = $("query").value = q.get("q") || "";
    S.tab = ["conflicts", "findings"].includes(q.get("tab")) ? q.get("tab") : "event";
    const sizes = { lane: D.lanes.length, type: D.types.length, project: D.projects.length };
    for (const key in off) off[key] = new Set((q.get("no-" + key) || "").split(".").filter(Boolean).map(Number).filter(k => k >= 0 && k < sizes[key] && Number.isInteger(k)));
    S.theme = ["light", "dark"].includes(q.get("theme")) ? q.get("theme") : null;
    setTheme();
    const e = D.id.indexOf(q.get("e"));
    S.selected = e;
    filter(); side(); panel();
    const top = D.id.indexOf(q.get("top")), z = +q.get("z") > 0 ? +q.get("z") : ROW;
    if (z != V.rowHeight) zoom(z / V.rowHeight);
    scroll.scrollTop = top >= 0 && V.rowOf[top] >= 0 ? V.rowOf[top] * V.rowHeight : 1e9;
    if (e >= 0 && V.rowOf[e] >= 0) { show(e); scroll.setAttribute("aria-activedescendant", "e" + e); }
  }

  function zoom(factor, y = height / 2) {
    const row = (scroll.scrollTop + y - V.head) / V.rowHeight;
    V.rowHeight = Math.max(.002, Math.min(ROW, (height - V.head - 30) / Math.max(1, V.shown.length)), Math.min(40, V.rowHeight * factor));
    if (Math.abs(V.rowHeight - ROW) < 1.2) V.rowHeight = ROW;
    layout();
    scroll.scrollTop = row * V.rowHeight + V.head - y;
    setLink(); redraw();
  }

  let settled = 0;
  scroll.addEventListener("scroll", () => { redraw(); clearTimeout(settled); settled = setTimeout(setLink, 300); }, { passive: true });
  scroll.addEventListener("wheel", e => { if (e.ctrlKey) { e.preventDefault(); zoom(Math.exp(-e.deltaY / 300), e.offsetY); } }, { passive: false });
  function eventAt(e) {
    const box = scroll.getBoundingClientRect(), y = e.clientY - box.top, x = e.clientX - box.left, row = Math.floor((scroll.scrollTop + y - V.head) / V.rowHeight);
    if (y < V.head * .7 || row < 0 || row >= V.shown.length) return -1;
    if (V.rowHeight >= 8) return V.shown[row];
    let best = -1, least = 30;
    const near = 12 / V.rowHeight | 0;
    for (let r = Math.max(0, row - near); r <= Math.min(V.shown.length - 1, row + near); r++) {
      const i = V.shown[r], d = Math.hypot(V.laneX[D.lane[i]] - x, V.head + (r + .5) * V.rowHeight - scroll.scrollTop - y);
      if (d < least) { least = d; best = i; }
    }
    return best;
  }
  scroll.addEventListener("pointermove", e => {
    const i = eventAt(e);
    if (i == S.hovered) return;
    S.hovered = i;
    scroll.title = i >= 0 && (V.rowHeight < 15 || V.laneWidth < 44) ? `${text(D.types[D.type[i]])} ${aggregateName(i)} ${who(i)}` : "";
    redraw();
  });
  scroll.addEventListener("pointerleave", () => { S.hovered = -1; redraw(); });
  scroll.addEventListener("click", e => { const i = eventAt(e); select(i == S.selected ? -1 : i); });
  $("query").addEventListener("input", e => { S.query = e.target.value; find(); setLink(); redraw(); });

  // Keys: their actions and descriptions.
  const step = (list, d) => {
    if (!list.length) return;
    const next = d > 0 ? list.find(i => i > S.selected) : list.findLast(i => i < S.selected);
    select(next !== undefined ? next : d > 0 ? list[0] : list[list.length - 1], true);
  };
  const inOrder = list => [...new Set(list)].filter(i => V.rowOf[i] >= 0).sort((a, b) => a - b);
  const move = d => select(V.shown[Math.max(0, Math.min(V.shown.length - 1, (S.selected >= 0 ? V.rowOf[S.selected] : d > 0 ? -1 : V.shown.length) + d))]);
  const along = d => { for (let r = V.rowOf[S.selected] + d; S.selected >= 0 && V.shown[r] !== undefined; r += d) if (D.lane[V.shown[r]] == D.lane[S.selected]) return select(V.shown[r]); };
  const conflicts = d => step(inOrder(D.conflicts.map(c => c.events[0] ?? c.branches[0])), d);
  const findings = d => step(inOrder([...findingsOf.keys()]), d);
  const only = () => { if (S.selected >= 0) { S.aggregate = S.aggregate === null ? D.aggregate[S.selected] : null; refilter(); } };
  const keys = [
    ["previous, next event", [["ArrowUp k", () => move(-1)], ["ArrowDown j", () => move(1)]]],
    ["first, last event", [["Home g", () => select(V.shown[0])], ["End G", () => select(V.shown[V.shown.length - 1])]]],
    ["previous, next event of the same node", [["ArrowLeft", () => along(-1)], ["ArrowRight", () => along(1)]]],
    ["direct predecessor on another node", [["p", () => select((V.parents[S.selected] || []).find(j => D.lane[j] != D.lane[S.selected]))]]],
    ["previous, next conflict", [["[", () => conflicts(-1)], ["]", () => conflicts(1)]]],
    ["previous, next finding", [["{", () => findings(-1)], ["}", () => findings(1)]]],
    ["find; next, last hit", [["/", () => $("query").focus()], ["n", () => step(V.hits, 1)], ["N", () => step(V.hits, -1)]]],
    ["this aggregate only, and back", [["a", only]]],
    ["zoom; all; rows of text", [["+ =", () => zoom(1.35)], ["-", () => zoom(1 / 1.35)], ["0", () => zoom(1e-9)], ["1", () => zoom(ROW / V.rowHeight)]]],
    ["clear the selection", [["Escape", () => select(-1)]]],
    ["keys", [["?", () => $("keys").showModal()]]]];
  const actions = new Map(keys.flatMap(([, list]) => list.flatMap(([names, action]) => names.split(" ").map(name => [name, action]))));
  $("keytable").append(...keys.map(([what, list]) => h("tr", null, h("td", null, list.map(([names]) => names.split(" ").map(name => [h("kbd", null, name.replace("Arrow", "")), " "]))), h("td", null, what))));
  document.addEventListener("keydown", e => {
    if (e.target.matches("input[type=search]")) {
      if (e.key == "Escape") scroll.focus();
      if (e.key == "Enter" && e.target.id == "query") step(V.hits, e.shiftKey ? -1 : 1);
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey || $("keys").open || !actions.has(e.key) || e.target.matches("button") && e.key == "Enter") return;
    e.preventDefault();
    actions.get(e.key)();
  });

  // Pictures: the visible part as PNG; all shown events, up to several thousand, as SVG.
  const save = (blob, name) => { const a = h("a", { href: URL.createObjectURL(blob), download: name }); a.click(); setTimeout(() => URL.revokeObjectURL(a.href), 1e4); };
  function png() {
    const canvas = h("canvas", { width: width * devicePixelRatio, height: height * devicePixelRatio }), pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.fillStyle = C.bg; pen.fillRect(0, 0, width, height);
    paint(pen, p, { width, height, scroll: scroll.scrollTop, hasTexts: true });
    canvas.toBlob(blob => save(blob, "causal.png"));
  }
  const MAX_SVG = 3000;
  function svg() {
    const from = Math.max(0, Math.min(V.shown.length - MAX_SVG, Math.floor((scroll.scrollTop - V.head) / V.rowHeight))), n = Math.min(MAX_SVG, V.shown.length - from);
    const w = V.textX + 640, hh = V.head + n * V.rowHeight + 20, pen = new SVGPen(w, hh, g);
    paint(pen, p, { width: w, height: hh, scroll: from * V.rowHeight, hasTexts: true });
    return pen.text(C.bg);
  }
  $("png").addEventListener("click", png);
  $("svg").addEventListener("click", () => save(new Blob([svg()], { type: "image/svg+xml" }), "causal.svg"));
  $("filters").addEventListener("click", () => document.body.classList.toggle("filtering"));
  $("fit").addEventListener("click", () => zoom(1e-9));
  $("help").addEventListener("click", () => $("keys").showModal());
  const retheme = () => { setTheme(); clearRows(); side(); panel(); layout(); };
  $("theme").addEventListener("click", () => { S.theme = p.dark ? "light" : "dark"; retheme(); setLink(); });
  matchMedia("(prefers-color-scheme:dark)").addEventListener("change", retheme);
  addEventListener("resize", layout);
  addEventListener("hashchange", readLink);

  readLink();
  draw();
  const ready = performance.now() - start;
  window.causal = { D, S, V, model, select, zoom, refilter, svg, stats: () => ({ read, modeled, ready, draw: lastDraw, edges: V.edges.length / 2, shown: V.shown.length, elements: document.querySelectorAll("*").length }) };
  document.documentElement.dataset.ready = "1";
})();
