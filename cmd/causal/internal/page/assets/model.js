"use strict";
// The order of events. D is the output of data.go: columns, with an entry for each event in the order of Compare.
function newModel(D) {
  const n = D.id.length;
  const areTexts = typeof D.clock[0] == "string"; // of clocks that numbers do not hold
  if (areTexts) for (const key of ["clock", "hidden"]) D[key] = D[key].map(BigInt);
  for (let i = 1; i < n; i++) {
    if (!areTexts) D.clock[i] += D.clock[i - 1];
    D.time[i] += D.time[i - 1];
  }
  const parents = D.parents.map((list, i) => list.map(d => i - d));
  const chains = [], nth = new Int32Array(n); // the events of each chain; the place of each event on its chain, from 1
  for (let i = 0; i < n; i++) {
    const chain = chains[D.chain[i]] || (chains[D.chain[i]] = []);
    chain.push(i);
    nth[i] = chain.length;
  }
  // The number of events of each chain at or before an event: numbers of blocks in a pool, shared by events.
  const B = 32, blocks = Math.ceil(chains.length / B), rows = new Int32Array(n * blocks);
  let pool = new Int32Array(B * (n + 64) * 2), used = 1; // block 0 is of nothing
  const copy = block => {
    if ((used + 1) * B > pool.length) {
      const more = new Int32Array(pool.length * 2);
      more.set(pool);
      pool = more;
    }
    pool.copyWithin(used * B, block * B, block * B + B);
    return used++;
  };
  const merge = (x, y) => {
    let isLess = false, isMore = false;
    for (let k = 0; k < B; k++) {
      const d = pool[x * B + k] - pool[y * B + k];
      if (d < 0) isLess = true; else if (d > 0) isMore = true;
    }
    if (!isLess || !isMore) return isLess ? y : x;
    const z = copy(x);
    for (let k = 0; k < B; k++) if (pool[y * B + k] > pool[z * B + k]) pool[z * B + k] = pool[y * B + k];
    return z;
  };
  for (let i = 0; i < n; i++) {
    const at = i * blocks;
    parents[i].forEach((p, which) => {
      if (!which) return rows.copyWithin(at, p * blocks, p * blocks + blocks);
      for (let b = 0; b < blocks; b++) if (rows[at + b] != rows[p * blocks + b]) rows[at + b] = merge(rows[at + b], rows[p * blocks + b]);
    });
    const own = at + (D.chain[i] / B | 0);
    rows[own] = copy(rows[own]);
    pool[rows[own] * B + D.chain[i] % B] = nth[i];
  }
  const seen = (i, k) => pool[rows[i * blocks + (k / B | 0)] * B + k % B];
  // Whether j happens before i, or is i.
  const saw = (i, j) => seen(i, D.chain[j]) >= nth[j];
  // Whether i, the later one, is known to be concurrent with j if it does not follow it.
  const knows = (i, j) => D.hidden[i] >= 0 && D.clock[j] >= D.hidden[i] && (D.plain[i]
    ? D.aggregates[D.aggregate[i]].project == D.aggregates[D.aggregate[j]].project : D.aggregate[i] == D.aggregate[j]);

  function relation(i, j) {
    if (i == j) return "Same";
    if (saw(j, i)) return "Before";
    if (saw(i, j)) return "After";
    if (D.clock[i] == D.clock[j]) {
      const isFork = D.lanes[D.lane[i]].node == D.lanes[D.lane[j]].node && (D.plain[i] || D.plain[j]);
      return isFork ? "Unknown" : "Concurrent";
    }
    return knows(Math.max(i, j), Math.min(i, j)) ? "Concurrent" : "Unknown";
  }

  // The relation of each event to a given one: 0 itself, 1 its past, 2 its future, 3 neither.
  function relatives(one) {
    const of = new Uint8Array(n);
    for (let i = 0; i < n; i++) of[i] = i == one ? 0 : i < one ? (saw(one, i) ? 1 : 3) : saw(i, one) ? 2 : 3;
    return of;
  }

  // The direct predecessors of each of the given events, in ascending order: the transitive reduction.
  function reduce(shown) {
    if (shown.length == n) return parents;
    const reduced = new Array(n), of = chains.map(() => []), last = new Int32Array(chains.length).fill(-1);
    const latest = (k, count) => { // of the shown events of a chain among its first so many
      const list = of[k];
      let low = 0, high = list.length;
      while (low < high) {
        const mid = low + high >> 1;
        if (nth[list[mid]] <= count) low = mid + 1; else high = mid;
      }
      return low ? list[low - 1] : -1;
    };
    for (const i of shown) {
      const own = last[D.chain[i]], found = own < 0 ? [] : [own];
      for (let b = 0; b < blocks; b++) {
        const now = rows[i * blocks + b], before = own < 0 ? 0 : rows[own * blocks + b];
        if (now == before) continue;
        for (let m = 0; m < B; m++) {
          const k = b * B + m;
          if (k == D.chain[i] || k >= chains.length || pool[now * B + m] <= pool[before * B + m]) continue;
          const j = latest(k, pool[now * B + m]);
          if (j >= 0 && !(own >= 0 && saw(own, j))) found.push(j);
        }
      }
      found.sort((a, b) => b - a);
      const kept = [];
      for (const j of found) if (!kept.some(other => saw(other, j))) kept.push(j);
      reduced[i] = kept;
      of[D.chain[i]].push(i);
      last[D.chain[i]] = i;
    }
    return reduced;
  }

  return { n, parents, saw, relation, relatives, reduce };
}

// The data are an object and the payloads, one on each line, which are parsed on demand.
async function readData(text) {
  const bytes = atob(text.trim()), packed = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) packed[i] = bytes.charCodeAt(i);
  const lines = (await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text()).split("\n");
  const D = JSON.parse(lines[0]);
  D.payload = i => lines[i + 1];
  return D;
}

// The name and the value of each member of an object, as JSON text, so that numbers keep their digits.
function members(object) {
  const list = [];
  let depth = 0, start = 1, name = "";
  for (const { 0: token, index } of object.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const isEnd = token == "}" || token == "]";
    if (depth == 1 && token == ":") { name = object.slice(start, index); start = index + 1; }
    if (depth == 1 && (token == "," || isEnd)) {
      if (name) list.push([name.trim(), object.slice(start, index).trim()]);
      name = ""; start = index + 1;
    }
    depth += token == "{" || token == "[" ? 1 : isEnd ? -1 : 0;
  }
  return list;
}

// JSON text with a line for each member and element.
function indent(json) {
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    if (token == "{" || token == "[") { depth++; out += token + line(); }
    else if (token == "}" || token == "]") { depth--; out += line() + token; }
    else if (token == ",") out += token + line();
    else out += token == ":" ? ": " : token;
  }
  return out;
}
