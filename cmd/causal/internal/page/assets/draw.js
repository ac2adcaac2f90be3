// The graph: lanes, events, edges, the light cone of the selected event, conflicts and findings. It
// is drawn with a pen: the context of a canvas, or one that writes SVG.
const HUES = [212, 22, 160, 276, 45, 340, 190, 95, 250, 0, 130, 310];
const FONT = "system-ui,-apple-system,Segoe UI,DejaVu Sans,sans-serif";
const FAR = 3000; // rows
const aggregateColor = (a, dark) => `hsl(${HUES[a % 12]} ${dark ? 62 : 58}% ${(dark ? 62 : 46) + ((a / 12 | 0) % 3 - 1) * 7}%)`;

// p is the content: D and the state of page.js. o is the place: width, height, scroll, and whether texts of the events
// are drawn, too, for which the page has elements.
function paint(g, p, o) {
  const { D, V, S, C } = p, s = S.selected, relatives = V.relatives, H = o.height;
  const y = row => V.head + (row + .5) * V.rowHeight - o.scroll, x = i => V.laneX[D.lane[i]];
  const first = Math.max(0, Math.floor((o.scroll - V.head) / V.rowHeight) - 1);
  const end = Math.min(V.shown.length, Math.ceil((o.scroll + H - V.head) / V.rowHeight) + 1);
  const hasText = V.rowHeight >= 15, to = i => relatives ? relatives[i] : 0;
  const fill = (color, alpha) => { g.globalAlpha = alpha; g.fillStyle = color; g.fill(); };
  const stroke = (color, width) => { g.strokeStyle = color; g.lineWidth = width; g.stroke(); };
  const circle = (cx, cy, r) => { g.beginPath(); g.arc(cx, cy, r, 0, 7); };
  const line = (x1, y1, x2, y2) => { g.beginPath(); g.moveTo(x1, y1); g.lineTo(x2, y2); };

  g.globalAlpha = 1;
  if (V.rowHeight >= 6) for (const [i, color] of [[S.hovered, C.shade], [s, C.sel]])
    if (i >= 0 && V.rowOf[i] >= 0) { g.fillStyle = color; g.fillRect(0, y(V.rowOf[i]) - V.rowHeight / 2, o.width, V.rowHeight); }
  if (relatives && V.rowOf[s] >= 0) cone();
  g.globalAlpha = 1;
  lifelines();
  arrows();
  brackets();
  V.rowHeight >= 3 ? dots() : density();
  g.globalAlpha = 1;
  if (o.hasTexts) texts();
  names();

  function cone() {
    const lanes = V.lanes, low = Math.min(H + 40, y(V.shown.length));
    for (const isFuture of [false, true]) {
      if (!relatives.includes(isFuture ? 2 : 1)) continue;
      const edge = isFuture ? low : -40;
      g.beginPath();
      g.moveTo(V.laneX[lanes[0]] - V.laneWidth * .42, edge);
      lanes.forEach((l, k) => {
        let at = l == D.lane[s] ? y(V.rowOf[s]) : y(isFuture ? V.coneFuture[l] : V.conePast[l]);
        if (!isFuture && l != D.lane[s] && V.conePast[l] < 0) at = -40;
        at = Math.max(-60, Math.min(isFuture ? low : H + 60, at));
        if (k == 0) g.lineTo(V.laneX[l] - V.laneWidth * .42, at);
        g.lineTo(V.laneX[l], at);
        if (k == lanes.length - 1) g.lineTo(V.laneX[l] + V.laneWidth * .42, at);
      });
      g.lineTo(V.laneX[lanes[lanes.length - 1]] + V.laneWidth * .42, edge);
      g.closePath();
      fill(isFuture ? C.future : C.past, p.dark ? .13 : .09);
    }
  }

  function lifelines() {
    const part = (l, from, until, color, width) => {
      from = Math.max(-5, from);
      until = Math.min(H + 5, until);
      if (until <= from) return;
      line(V.laneX[l], from, V.laneX[l], until);
      stroke(color, width);
    };
    for (const l of V.lanes) {
      const [from, until] = V.laneRows[l];
      if (D.lanes[l].second) g.setLineDash([4, 3]);
      part(l, y(from), y(until), C.life, hasText ? 2 : 1.5);
      g.setLineDash([]);
      if (!relatives) continue;
      if (V.conePast[l] >= from) part(l, y(from), y(V.conePast[l]), C.past, hasText ? 3 : 2);
      if (V.coneFuture[l] <= until) part(l, y(V.coneFuture[l]), y(until), C.future, hasText ? 3 : 2);
    }
  }

  function arrows() {
    const isDense = end - first > 700, buckets = [[], [], [], []], E = V.edges;
    let low = 0, high = E.length / 2, count = 0;
    while (low < high) { // edges are in the order of their later ends
      const mid = low + high >> 1;
      if (V.rowOf[E[2 * mid + 1]] < first) low = mid + 1; else high = mid;
    }
    const add = (a, b) => {
      if (V.rowOf[a] > end || V.rowOf[b] < first) return;
      let kind = 0;
      if (s >= 0) kind = b == s || to(b) == 1 ? 1 : a == s || to(a) == 2 ? 2 : 3;
      if (S.hovered >= 0 && !isDense && (a == S.hovered || b == S.hovered)) kind = kind || 1;
      buckets[kind].push(a, b);
      count++;
    };
    for (let m = low; m < E.length / 2 && V.rowOf[E[2 * m + 1]] <= end + FAR; m++) add(E[2 * m], E[2 * m + 1]);
    for (let m = 0; m < V.farEdges.length; m += 2) if (V.rowOf[V.farEdges[m + 1]] > end + FAR) add(V.farEdges[m], V.farEdges[m + 1]);
    const alpha = isDense ? Math.max(.22, Math.min(.6, 700 / count)) : .75;
    buckets.forEach((list, kind) => {
      if (!list.length) return;
      g.globalAlpha = kind == 3 ? alpha * .35 : kind ? (isDense ? alpha * .6 : Math.min(1, alpha * 1.3)) : alpha;
      g.beginPath();
      for (let m = 0; m < list.length; m += 2) arrow(list[m], list[m + 1]);
      stroke([C.faint, C.past, C.future, C.faint][kind], isDense ? .6 : 1.3);
    });
    g.globalAlpha = 1;
  }

  function arrow(a, b) {
    const x1 = x(a), y1 = y(V.rowOf[a]), x2 = x(b), y2 = y(V.rowOf[b]), dx = x2 - x1, dy = y2 - y1;
    g.moveTo(x1, y1);
    if (!hasText) { g.lineTo(x2, y2); return; }
    const isFar = dy > 90;
    if (isFar) g.bezierCurveTo(x1 + dx * .5, y1 + 24, x2 - dx * .35, y2 - 30, x2 - Math.sign(dx) * 7, y2 - 3);
    else g.lineTo(x2 - Math.sign(dx) * 6, y2 - Math.min(4, dy / 5));
    const angle = Math.atan2(isFar ? 27 : dy, isFar ? dx * .35 : dx), hx = x2 - Math.cos(angle) * 7, hy = y2 - Math.sin(angle) * 7;
    g.moveTo(hx - Math.cos(angle - .5) * 6, hy - Math.sin(angle - .5) * 6);
    g.lineTo(hx, hy);
    g.lineTo(hx - Math.cos(angle + .5) * 6, hy - Math.sin(angle + .5) * 6);
  }

  // Conflicts of the only aggregate shown, or of that of the selected event.
  function brackets() {
    const aggregate = S.aggregate !== null ? S.aggregate : s >= 0 ? D.aggregate[s] : null;
    if (aggregate === null) return;
    for (const c of D.conflicts) {
      if (c.aggregate != aggregate) continue;
      const rows = c.events.map(i => V.rowOf[i]).filter(r => r >= 0);
      const from = rows.length ? rows[0] : -1, until = c.joined >= 0 ? V.rowOf[c.joined] : c.open ? V.shown.length - 1 : rows[rows.length - 1];
      if (from < 0 || until < from || until < first || from > end) continue;
      g.beginPath();
      g.moveTo(16, y(from));
      g.lineTo(10, y(from));
      g.lineTo(10, !c.open ? y(until) : Math.min(H, y(until) + V.rowHeight / 2));
      if (c.joined >= 0) g.lineTo(16, y(until));
      stroke(C.bad, 2);
    }
  }

  function dots() {
    const r = Math.max(.7, Math.min(5.5, V.rowHeight * .36 + (V.rowHeight < 15 ? .9 : 0)));
    for (let row = first; row < end; row++) {
      const i = V.shown[row], cx = x(i), cy = y(row), isFaulty = p.findingsOf.has(i);
      g.beginPath();
      if (isFaulty && r > 3) {
        g.moveTo(cx, cy - r - 2.5); g.lineTo(cx + r + 2, cy + r); g.lineTo(cx - r - 2, cy + r); g.closePath();
      } else if (p.joins.has(i) && r > 3) {
        g.moveTo(cx, cy - r - 1.5); g.lineTo(cx + r + 1.5, cy); g.lineTo(cx, cy + r + 1.5); g.lineTo(cx - r - 1.5, cy); g.closePath();
      } else g.arc(cx, cy, r, 0, 7);
      fill(aggregateColor(D.aggregate[i], p.dark), to(i) == 3 && D.aggregate[i] != D.aggregate[s] ? .35 : 1);
      stroke(C.bg, hasText ? 2 : 1);
      if (p.branchOf.has(i) && r > 2) {
        const isOpen = p.branchOf.get(i).open;
        circle(cx, cy, r + 2.6);
        stroke(isOpen ? C.bad : C.mut, isOpen ? 2 : 1.2);
      }
      if (isFaulty && r > 2) { circle(cx, cy, r + 4.4); stroke(C.warn, 1.8); }
      g.globalAlpha = 1;
      if (i == s) { circle(cx, cy, r + 5); stroke(C.selb, 2.5); }
      if (V.isHit.has(i)) { circle(cx, cy, r + 4); stroke(C.warn, 2); }
    }
  }

  // Too many events for dots: their number in a row of pixels of a lane.
  function density() {
    const wide = Math.min(26, V.laneWidth * .34), pixels = new Map();
    for (let row = first; row < end; row++) {
      const i = V.shown[row], key = Math.round(y(row)) * 1024 + D.lane[i], pixel = pixels.get(key);
      if (!pixel) pixels.set(key, { n: 1, kind: to(i), i });
      else { pixel.n++; if (to(i) && to(i) < 3) pixel.kind = to(i); }
    }
    for (const [key, pixel] of pixels) {
      const cx = V.laneX[key % 1024], w = wide * Math.min(1, .4 + .15 * pixel.n);
      g.globalAlpha = Math.min(.9, .28 + .12 * pixel.n) * (pixel.kind == 3 ? .4 : 1);
      g.fillStyle = pixel.kind == 1 ? C.past : pixel.kind == 2 ? C.future : S.aggregate !== null ? aggregateColor(S.aggregate, p.dark) : C.mut;
      g.fillRect(cx - w, Math.floor(key / 1024), w * 2, 1.2);
    }
    g.globalAlpha = 1;
    const mark = (i, color, side) => {
      const row = V.rowOf[i], small = Math.min(6, V.laneWidth * .14);
      if (row >= first && row <= end) { g.fillStyle = color; g.fillRect(x(i) + side * V.laneWidth * .46 - small / 2, y(row) - 1, small, 2.2); }
    };
    for (const c of D.conflicts) if (c.open) for (const i of c.branches) mark(i, C.bad, -1);
    for (const i of V.hits) mark(i, C.warn, -1);
    for (const [i, list] of p.findingsOf) {
      mark(i, C.warn, 1);
      if (V.rowOf[i] < first || V.rowOf[i] > end || V.laneWidth < 70) continue;
      g.font = `11px ${FONT}`; g.textAlign = "left"; g.textBaseline = "middle";
      g.fillText("▲ " + [...new Set(list.map(f => f.kind))].join(", "), x(i) + V.laneWidth * .46 + 5, y(V.rowOf[i]));
    }
    if (s >= 0 && V.rowOf[s] >= 0) { circle(x(s), y(V.rowOf[s]), 6); fill(C.selb, 1); stroke(C.bg, 2); }
  }

  // Texts for which the page has elements.
  function texts() {
    if (!hasText) return;
    g.textAlign = "left"; g.textBaseline = "middle";
    for (let row = first; row < end; row++) {
      const i = V.shown[row];
      let at = V.textX + 6;
      for (const [text, width, weight, color] of [[D.clock[i], 54, 400, C.mut], [p.aggregateName(i), 72, 600, C.ink], [p.text(D.types[D.type[i]]), 140, 400, C.ink],
        [p.summary(i), 200, 400, C.mut], [p.badges(i).map(b => b[1]).join(", "), 160, 600, C.bad]]) {
        g.font = `${weight} 12px ${FONT}`; g.fillStyle = color;
        g.fillText(clip(String(text), width - 8), at, y(row));
        at += width;
      }
    }
  }

  function clip(text, width) {
    if (g.measureText(text).width <= width) return text;
    while (text.length > 1 && g.measureText(text + "…").width > width) text = p.start(text, text.length - 1);
    return text + "…";
  }

  function names() {
    if (!o.hasTexts) {
      const grad = g.createLinearGradient(0, 0, 0, V.head);
      grad.addColorStop(0, C.bg); grad.addColorStop(.8, C.bg); grad.addColorStop(1, C.bg + "00");
      g.fillStyle = grad; g.fillRect(0, 0, o.width, V.head);
    }
    g.textBaseline = "alphabetic";
    for (const l of V.lanes) {
      const lane = D.lanes[l], name = p.text(lane.node) + (lane.second ? " ²" : "");
      g.fillStyle = s >= 0 && D.lane[s] == l ? C.selb : lane.second ? C.bad : C.ink;
      if (V.laneWidth < 44) {
        if (V.laneWidth < 6.5 && !(s >= 0 && D.lane[s] == l)) continue;
        g.font = `600 ${Math.min(11, V.laneWidth + 1)}px ${FONT}`;
        g.save(); g.translate(V.laneX[l] + 4, V.head - 22); g.rotate(-Math.PI / 2); g.textAlign = "left";
        g.fillText(clip(name, V.head - 28), 0, 0);
        g.restore();
        continue;
      }
      g.font = `600 12px ${FONT}`; g.textAlign = "center";
      const parts = g.measureText(name).width > V.laneWidth - 4 && name.match(/^(.{2,}?[-_.@/ ])(.+)$/);
      g.fillText(clip(parts ? parts[1] : name, V.laneWidth - 4), V.laneX[l], 17);
      g.font = parts ? `600 12px ${FONT}` : `11px ${FONT}`;
      if (!parts) g.fillStyle = C.mut;
      g.fillText(parts ? clip(parts[2], V.laneWidth - 4) : V.laneCount[l].toLocaleString("en"), V.laneX[l], 31);
    }
    g.textAlign = "left";
  }
}

// A pen that writes SVG: the part of a canvas context used by paint.
class SVGPen {
  constructor(width, height, measure) {
    Object.assign(this, { width, height, measure, out: [], path: "", dash: "", moves: "", globalAlpha: 1 });
  }
  static number(v) { return Math.round(v * 10) / 10; }
  static escape(s) { return s.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`); }
  beginPath() { this.path = ""; }
  command(name, ...at) { this.path += name + at.map(SVGPen.number).join(" "); }
  moveTo(x, y) { this.command("M", x, y); }
  lineTo(x, y) { this.command("L", x, y); }
  bezierCurveTo(...at) { this.command("C", ...at); }
  arc(x, y, r) { this.command("M", x - r, y); for (const d of [2 * r, -2 * r]) this.path += `a${SVGPen.number(r)} ${SVGPen.number(r)} 0 1 1 ${SVGPen.number(d)} 0`; }
  closePath() { this.path += "Z"; }
  element(attributes) { if (this.path) this.out.push(`<path d="${this.path}" opacity="${SVGPen.number(this.globalAlpha * 10) / 10}" ${attributes}/>`); }
  fill() { this.element(`fill="${this.fillStyle}"`); }
  stroke() { this.element(`fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}"${this.dash}`); }
  setLineDash(list) { this.dash = list.length ? ` stroke-dasharray="${list.join(" ")}"` : ""; }
  fillRect(x, y, w, h) {
    this.out.push(`<rect x="${SVGPen.number(x)}" y="${SVGPen.number(y)}" width="${SVGPen.number(w)}" height="${SVGPen.number(h)}" fill="${this.fillStyle}" opacity="${this.globalAlpha}"/>`);
  }
  measureText(text) { this.measure.font = this.font; return this.measure.measureText(text); }
  save() { this.moves = ""; }
  translate(x, y) { this.moves += `translate(${SVGPen.number(x)} ${SVGPen.number(y)})`; }
  rotate(angle) { this.moves += `rotate(${angle * 180 / Math.PI})`; }
  restore() { this.moves = ""; }
  fillText(text, x, y) {
    const [, weight, size] = this.font.match(/^(?:(\d+) )?([\d.]+)px/);
    this.out.push(`<text x="${SVGPen.number(x)}" y="${SVGPen.number(y + (this.textBaseline == "middle" ? 4 : 0))}" fill="${this.fillStyle}" font-size="${size}"` +
      ` font-weight="${weight || 400}" text-anchor="${this.textAlign == "center" ? "middle" : "start"}"${this.moves && ` transform="${this.moves}"`}>${SVGPen.escape(text)}</text>`);
  }
  text(background) {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}" font-family="${FONT}">` +
      `<rect width="100%" height="100%" fill="${background}"/>${this.out.join("")}</svg>`;
  }
}
