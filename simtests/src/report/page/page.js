// Everything around the diagram: the verdict, the tables, the log, the window, and how they keep in step.

const WINDOW = 10000;
const ROW = 19;
const data = JSON.parse(document.getElementById("data").textContent);
const recording = data.recording;
// The number under which the judges read.
const READER = data.reader;
const events = recording.events;
const element = (id) => document.getElementById(id);

function seconds(ns, digits) {
  return (ns / 1e9).toFixed(digits === undefined ? 6 : digits);
}

// The index of the first element of a sorted list for which `key` is not below `value`.
function lowerBound(list, value, key) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]) < value) low = middle + 1; else high = middle;
  }
  return low;
}

const KIND_OF = {
  boot: "life", died: "life", halted: "life", panicked: "life", paused: "life", resumed: "life",
  send: "message", drop: "message", deliver: "message", link: "message",
  append: "disk", sync: "disk", disk: "disk", power_loss: "disk",
  note: "note", client: "client", story: "fault",
};
const KIND_NAMES = { message: "messages", disk: "disk", life: "lives", note: "notes", client: "clients", fault: "faults" };

function laneNames(event) {
  const member = (slot) => `m${slot + 1}`;
  if (event.member !== undefined) return [member(event.member)];
  if (event.from !== undefined) return [member(event.from), member(event.to)];
  if (event.client !== undefined) return [`${isWatcher(event.client) ? "w" : "c"}${event.client}`];
  return [];
}

const watcherNumbers = new Set(recording.watchers.map((watcher) => watcher.number));
function isWatcher(client) { return watcherNumbers.has(client); }

// Makes an element with text in it; text is never markup.
function make(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(heads, rows) {
  const made = make("table");
  const head = made.appendChild(make("thead")).appendChild(make("tr"));
  for (const [text, className] of heads) head.appendChild(make("th", text, className));
  const body = made.appendChild(make("tbody"));
  for (const row of rows) {
    const line = body.appendChild(make("tr", undefined, row.className));
    row.cells.forEach((cell, i) => line.appendChild(make("td", cell, heads[i][1])));
    if (row.event !== undefined && row.event !== null) {
      line.dataset.event = row.event;
      line.addEventListener("click", () => go(row.event, true));
    }
  }
  return made;
}

function fold(id, content, open) {
  const box = element(id);
  box.hidden = !content;
  box.open = open;
  if (content) element(`${id}-table`).appendChild(content);
}

// The last event that is not after a time.
function eventAt(at) {
  return Math.max(0, lowerBound(events, at + 1, (event) => event.at) - 1);
}

function failureEvent() {
  return recording.verdict.event === null ? eventAt(recording.verdict.at) : recording.verdict.event;
}

function revisionOf(call) {
  if (call.point) return call.point.revision;
  const ok = call.operation.outcome.ok;
  return ok ? Object.values(ok)[0].revision : null;
}

function head() {
  const verdict = recording.verdict;
  element("word").textContent = verdict.word;
  element("word").className = verdict.word.toLowerCase();
  const first = verdict.text.split("\n")[0];
  element("sentence").textContent = verdict.judge
    ? `${verdict.judge}: ${first}`
    : "No judge objected.";
  element("command").textContent = recording.replay;
  element("copy").addEventListener("click", () => copy(recording.replay));
  const shown = recording.calls.filter((call) => call.client < READER).length;
  element("figures").textContent = `${recording.title} · ${recording.members} members · ${events.length.toLocaleString("en")} events · ` +
    `${shown.toLocaleString("en")} requests · ${recording.faults.length} faults · ${seconds(recording.simulated_ns, 3)} simulated seconds` +
    (verdict.judge ? ` · judged at ${seconds(verdict.at)} s` : "") + ` · transcript ${recording.digest}`;
  element("said").hidden = !verdict.text.includes("\n");
  element("said").open = true;
  element("said-text").textContent = verdict.text;
  element("to-failure").hidden = !verdict.judge;
}

function copy(text) {
  const done = () => { element("copy").textContent = "copied"; setTimeout(() => { element("copy").textContent = "copy"; }, 1500); };
  const byHand = () => {
    const range = document.createRange();
    range.selectNodeContents(element("command"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    if (document.execCommand("copy")) done();
  };
  // A page opened from a file may have no clipboard of its own.
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
}

function tables() {
  const faults = recording.faults.map((fault) => ({
    event: fault.event,
    cells: [seconds(fault.from), fault.upto > fault.from ? ((fault.upto - fault.from) / 1e6).toFixed(3) : "at once",
      fault.members.map((member) => `m${member + 1}`).join(" "), fault.text],
  }));
  const failed = recording.verdict.judge !== "";
  fold("schedule", faults.length ? table([["at s", "number"], ["for ms", "number"], ["members", "name"], ["what", ""]], faults) : null, failed);
  fold("configuration", table([["", "name"], ["", ""]],
    recording.configuration.map((line) => ({ cells: [line.label, line.text] }))), false);
  fold("counts", table([["what", "name"], ["times", "number"]],
    Object.entries(recording.counts).map(([what, times]) => ({ cells: [what, times.toLocaleString("en")] }))), false);
  fold("order", orderTable(), recording.verdict.judge === "linearizability");
  const impossible = document.querySelector("#order tr.impossible");
  if (impossible) element("order-table").scrollTop = impossible.offsetTop - 80;
}

// The operations in the order of revisions, around the one that has no place.
function orderTable() {
  const impossible = recording.calls.find((call) => call.accused === "impossible");
  if (!impossible) return null;
  const placed = recording.calls.filter((call) => call.point || call.accused !== "no");
  const key = (call) => [revisionOf(call) === null ? Infinity : revisionOf(call), call.accused === "impossible" ? Infinity : call.point ? call.point.at : call.call];
  placed.sort((a, b) => { const [x, y] = [key(a), key(b)]; return x[0] - y[0] || x[1] - y[1]; });
  const middle = placed.indexOf(impossible);
  const near = placed.filter((call, i) => Math.abs(i - middle) <= 8 || call.accused !== "no");
  return table([["revision", "number"], ["point s", "number"], ["called s", "number"], ["answered s", "number"], ["who", "name"], ["what", ""], ["answer", ""]],
    near.map((call) => ({
      event: call.call_event,
      className: call.accused === "no" ? "" : call.accused,
      cells: [String(revisionOf(call)), call.point ? seconds(call.point.at) : call.accused === "impossible" ? "none" : "", seconds(call.call),
        call.ret === null ? "never" : seconds(call.ret), `#${call.id} ${call.client >= READER ? "judge" : `c${call.client}`}${call.member === null ? "" : ` → m${call.member + 1}`}`, call.request, call.response],
    })));
}

// ---- The log: only the rows in sight exist.

let shown = [];
let cursor = 0;

function filterLog() {
  const wanted = element("find").value.toLowerCase();
  shown = [];
  for (let i = 0; i < events.length; i++) {
    const event = events[i].event;
    if (!diagram.kinds.has(KIND_OF[event.is])) continue;
    const names = laneNames(event);
    if (names.length && names.every((name) => diagram.hidden.has(name))) continue;
    if (wanted && !data.lines[i].toLowerCase().includes(wanted)) continue;
    shown.push(i);
  }
  element("log-space").style.height = `${shown.length * ROW}px`;
  element("log-head").textContent = shown.length === events.length
    ? `${events.length.toLocaleString("en")} events`
    : `${shown.length.toLocaleString("en")} of ${events.length.toLocaleString("en")} events`;
  scrollToCursor();
  drawLog();
}

function drawLog() {
  const log = element("log"), rows = element("log-rows");
  const first = Math.max(0, Math.floor(log.scrollTop / ROW) - 10);
  const last = Math.min(shown.length, Math.ceil((log.scrollTop + log.clientHeight) / ROW) + 10);
  rows.style.top = `${first * ROW}px`;
  rows.replaceChildren(...shown.slice(first, last).map(row));
}

function row(i) {
  const { at, event } = events[i];
  let kind = KIND_OF[event.is];
  if (recording.verdict.judge && data.lines[i].startsWith(`-- ${recording.verdict.judge}: `)) kind = "judge";
  if (event.client !== undefined && isWatcher(event.client)) kind = "watch";
  const made = make("div", undefined, i === cursor ? `${kind} here` : kind);
  made.appendChild(make("span", seconds(at, 9), "time"));
  made.appendChild(document.createTextNode(data.lines[i].replaceAll("\n", " ⏎ ")));
  made.dataset.event = i;
  return made;
}

function scrollToCursor() {
  const log = element("log");
  const at = lowerBound(shown, cursor, (i) => i) * ROW;
  if (at < log.scrollTop + 2 * ROW || at > log.scrollTop + log.clientHeight - 3 * ROW) {
    log.scrollTop = Math.max(0, at - log.clientHeight * 0.4);
  }
}

// Makes an event the one that both sides show.
function go(i, centre) {
  cursor = Math.max(0, Math.min(events.length - 1, i));
  if (events.length === 0) return;
  if (cursor < drawn.from || cursor >= drawn.upto) setWindow(cursor - WINDOW / 2);
  diagram.cursor = events[cursor].at;
  if (centre) diagram.reveal(diagram.cursor); else diagram.redraw();
  scrollToCursor();
  drawLog();
  describe(null);
}

function step(by) {
  const at = lowerBound(shown, cursor, (i) => i);
  const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
  if (next !== undefined) go(next, true);
}

// ---- What is under the pointer, in words.

let picked = null;

function messageName(event) {
  const words = data.lines[event].split(" ");
  return (words[3] || "").replace(/^Msg/, "");
}

function words(what) {
  if (!what) return null;
  const during = (from, upto) => `${seconds(from)} s to ${seconds(upto)} s (${((upto - from) / 1e6).toFixed(3)} ms)`;
  if (what.call) {
    const call = what.call;
    const point = call.point ? `takes effect at ${seconds(call.point.at)} s, revision ${call.point.revision}`
      : call.accused === "impossible" ? "has no place in any order" : "no point known";
    return `#${call.id} ${call.client >= READER ? "judge" : `c${call.client}`} → ${call.member === null ? "a member" : `m${call.member + 1}`}: ${call.request} → ${call.response}\n` +
      `${call.ret === null ? `${seconds(call.call)} s, never answered` : during(call.call, call.ret)}; ${point}` +
      (call.accused === "witness" ? "; the judge names it as evidence" : "");
  }
  if (what.flight) {
    const end = what.flight.arrived === null ? "nobody got it" : `arrived after ${((what.flight.arrived - what.flight.sent) / 1e6).toFixed(3)} ms`;
    return `${data.lines[what.flight.send_event]}\nsent at ${seconds(what.flight.sent)} s, ${end}`;
  }
  if (what.fault) return `${what.fault.text}\n${what.fault.upto > what.fault.from ? during(what.fault.from, what.fault.upto) : `${seconds(what.fault.from)} s, over at once`}`;
  if (what.reply) {
    const changes = what.reply.events.map((change) => `${change.is_delete ? "−" : "+"}${change.kv.key}@${change.kv.mod_revision}${change.is_delete ? "" : `=${change.kv.value.slice(0, 24)}`}`);
    const kind = what.reply.created ? "created" : what.reply.cancelled ? `cancelled, compacted at ${what.reply.compact_revision}` : changes.length ? changes.join(" ") : "progress";
    return `w${recording.watchers[what.watcher].number} from m${what.stream.member + 1} at ${seconds(what.reply.at)} s, revision ${what.reply.revision}: ${kind}`;
  }
  if (what.stream) return `w${recording.watchers[what.watcher].number}: a stream to m${what.stream.member + 1} from revision ${what.stream.start_revision || "now"}, ${seconds(what.stream.at)} s`;
  if (what.disk) return `m${what.member + 1}: ${what.disk.is === "failed" ? "a sync failed; what it covered is gone" : "written and not synced"}\n${during(what.disk.from, what.disk.upto)}`;
  const standing = diagram.standing(what.member, what.span.upto);
  return `m${what.member + 1}: ${what.span.is.replace("_", "-")}, ${during(what.span.from, what.span.upto)}\nat its end: term ${standing.term}, commit ${standing.commit}, last index ${standing.last_index}`;
}

function describe(what) {
  const text = words(what) || words(picked);
  if (text) element("detail").textContent = text;
  else if (events.length) element("detail").textContent = `${seconds(events[cursor].at, 9)} s  ${data.lines[cursor]}`;
}

function click(what, at, lane) {
  picked = diagram.picked = what && !what.span ? what : null;
  let event = null;
  if (what && what.call) event = Math.abs(at - what.call.call) < Math.abs(at - (what.call.ret || Infinity)) ? what.call.call_event : what.call.ret_event;
  else if (what && what.flight) event = what.flight.send_event;
  else if (what && what.fault) event = what.fault.event;
  else if (what && what.reply) event = eventAt(what.reply.at);
  if (event === null || event === undefined) event = nearest(at, lane);
  go(event, false);
}

// The event of this lane that is next to a time, among those the log shows.
function nearest(at, lane) {
  const here = lowerBound(shown, at, (i) => events[i].at);
  for (let far = 0; far < 400; far++) {
    for (const place of [here - far - 1, here + far]) {
      const i = shown[place];
      if (i !== undefined && (!lane || laneNames(events[i].event).includes(lane.name))) return i;
    }
  }
  return eventAt(at);
}

// ---- Long runs: the diagram draws a window of events, the log has all of them.

let drawn = { from: 0, upto: events.length };

function setWindow(from) {
  const size = Math.min(WINDOW, events.length);
  from = Math.max(0, Math.min(Math.round(from), events.length - size));
  drawn = { from, upto: from + size };
  const whole = size === events.length;
  diagram.range = {
    from: from === 0 ? 0 : events[from].at,
    upto: whole ? Math.max(1, recording.simulated_ns) : events[drawn.upto - 1].at,
  };
  diagram.show(diagram.range.from, diagram.range.upto);
  element("window").hidden = whole;
  if (whole) return;
  element("window-text").textContent = `This run has ${events.length.toLocaleString("en")} events. The diagram draws ${size.toLocaleString("en")} of them` +
    (recording.verdict.judge ? " around the failure" : "") +
    `, from ${seconds(diagram.range.from, 3)} s to ${seconds(diagram.range.upto, 3)} s; the log and the data below have all.`;
  element("earlier").disabled = from === 0;
  element("later").disabled = drawn.upto === events.length;
}

function toFailure() {
  go(failureEvent(), true);
  // So many events as can be read: sixty before the verdict and some after, fewer if a long silence lies among them.
  const at = recording.verdict.at;
  const since = (count) => at - events[Math.max(0, cursor - count)].at;
  let count = 60;
  while (count > 12 && since(count) > 20 * since(12)) count -= 1;
  const span = Math.max(1e6, since(count));
  diagram.show(at - span, at + span / 3);
}

// A link to a place in the run: page.html#failure, page.html#event=1234.
function follow() {
  const event = /^#event=(\d+)$/.exec(location.hash);
  if (location.hash === "#failure" && recording.verdict.judge) toFailure();
  if (event) {
    go(Number(event[1]), true);
    diagram.show(diagram.cursor - 5e6, diagram.cursor + 5e6);
  }
}

function controls() {
  const toggles = (box, names, label, isOn, flip) => {
    for (const name of names) {
      const button = element(box).appendChild(make("button", label(name)));
      button.type = "button";
      button.setAttribute("aria-pressed", isOn(name));
      button.addEventListener("click", () => {
        flip(name);
        button.setAttribute("aria-pressed", isOn(name));
        diagram.resize();
        filterLog();
      });
    }
  };
  const swap = (set, name) => { if (!set.delete(name)) set.add(name); };
  toggles("kinds", Object.keys(KIND_NAMES), (kind) => KIND_NAMES[kind], (kind) => diagram.kinds.has(kind), (kind) => swap(diagram.kinds, kind));
  toggles("lanes", diagram.lanes().map((lane) => lane.name), (name) => name, (name) => !diagram.hidden.has(name), (name) => swap(diagram.hidden, name));
  const on = (id, action) => element(id).addEventListener("click", action);
  on("zoom-in", () => diagram.zoom(0.5));
  on("zoom-out", () => diagram.zoom(2));
  on("fit", () => diagram.show(diagram.range.from, diagram.range.upto));
  on("to-failure", toFailure);
  on("earlier", () => { setWindow(drawn.from - WINDOW / 2); go(drawn.upto - 1, false); });
  on("later", () => { setWindow(drawn.from + WINDOW / 2); go(drawn.from, false); });
  element("find").addEventListener("input", filterLog);
  element("log").addEventListener("scroll", drawLog);
  element("log").addEventListener("click", (event) => {
    const line = event.target.closest("[data-event]");
    picked = diagram.picked = null;
    if (line) go(Number(line.dataset.event), true);
  });
  document.addEventListener("keydown", keys);
  window.addEventListener("resize", () => { diagram.resize(); drawLog(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { legend(); diagram.resize(); });
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.tagName === "INPUT") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const actions = {
    "+": () => diagram.zoom(0.5), "=": () => diagram.zoom(0.5), "-": () => diagram.zoom(2), "0": () => diagram.show(diagram.range.from, diagram.range.upto),
    f: () => recording.verdict.judge && toFailure(), "/": () => element("find").focus(),
    ArrowRight: () => (event.shiftKey ? diagram.pan(0.2) : step(1)), ArrowLeft: () => (event.shiftKey ? diagram.pan(-0.2) : step(-1)),
    ArrowDown: () => step(1), ArrowUp: () => step(-1), PageDown: () => step(30), PageUp: () => step(-30),
    Home: () => step(-events.length), End: () => step(events.length),
  };
  if (actions[event.key]) {
    event.preventDefault();
    picked = diagram.picked = null;
    actions[event.key]();
  }
}

function legend() {
  const entries = [["leader", "leader"], ["follower", "follower"], ["candidate", "candidate"], ["pre-candidate", "pre-candidate"], ["down", "down"],
    ["unsynced", "unsynced data"], ["failed", "failed sync"], ["write", "write"], ["read", "read"], ["refused", "refused"], ["unknown", "fate unknown"],
    ["point", "took effect"], ["watch", "watch event"], ["fault-band", "fault"], ["lost", "lost message"]];
  element("legend").replaceChildren(...entries.map(([colour, name]) => {
    const entry = make("span", name);
    const patch = make("i");
    patch.style.background = `var(--${colour})`;
    entry.prepend(patch);
    return entry;
  }));
}

const diagram = new Diagram(element("diagram"), data, {
  hover: describe, click, messageName,
  drawn: () => {
    const { from, upto } = diagram.view;
    element("hint").textContent = `${seconds(from)} s to ${seconds(upto)} s in sight` +
      (diagram.arrowsLeftOut ? " · too many messages to draw: zoom in to see them" : "");
  },
});
head();
tables();
legend();
controls();
diagram.resize();
setWindow(failureEvent() - WINDOW * 0.75);
filterLog();
if (events.length) go(recording.verdict.judge ? failureEvent() : 0, false);
follow();
window.addEventListener("hashchange", follow);
