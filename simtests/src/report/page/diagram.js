// The space-time diagram: a canvas that draws what is between two times, and answers what is at a place.
//
// Time runs from left to right. From top to bottom: faults, members, clients, watchers.

const GUTTER = 78;
const HEIGHTS = { axis: 26, fault: 18, member: 62, client: 24, watcher: 20 };
const FAULT_ROWS = 6;
// Above so many messages in sight they are no more than a tint, and are left out.
const ARROWS_MAX = 1500;

class Diagram {
  constructor(canvas, data, hooks) {
    this.canvas = canvas;
    this.data = data;
    this.recording = data.recording;
    this.hooks = hooks;
    this.hidden = new Set();
    this.kinds = new Set(["message", "disk", "life", "note", "client", "fault"]);
    this.range = { from: 0, upto: Math.max(1, this.recording.simulated_ns) };
    this.view = { ...this.range };
    this.cursor = 0;
    this.picked = null;
    this.things = [];
    this.flights = data.flights.slice().sort((a, b) => a.sent - b.sent);
    this.flightMax = this.flights.reduce((most, f) => f.arrived === null ? most : Math.max(most, f.arrived - f.sent), 0);
    this.callsOf = new Map();
    for (const call of this.recording.calls) {
      // The judge's own reader asks all the time; it is worth seeing where it is a witness.
      if (call.client >= READER && call.accused === "no") continue;
      if (!this.callsOf.has(call.client)) this.callsOf.set(call.client, []);
      this.callsOf.get(call.client).push(call);
    }
    this.standingsOf = [...Array(this.recording.members).keys()].map(
      (member) => this.recording.standings.filter((standing) => standing.member === member));
    this.faultRows();
    this.listen();
  }

  // Each fault gets the first row that is free; what finds none lies on the last.
  faultRows() {
    const ends = [];
    this.faults = this.recording.faults.map((fault) => {
      let row = ends.findIndex((end) => end <= fault.from);
      if (row < 0) row = Math.min(ends.length, FAULT_ROWS - 1);
      ends[row] = Math.max(fault.upto, fault.from + (this.range.upto - this.range.from) / 40);
      return { fault, row };
    });
    this.faultRowCount = ends.length;
  }

  lanes() {
    const lanes = [];
    let y = HEIGHTS.axis + this.faultRowCount * HEIGHTS.fault + 6;
    const add = (name, kind, index) => {
      if (this.hidden.has(name)) return;
      lanes.push({ name, kind, index, y, height: HEIGHTS[kind] });
      y += HEIGHTS[kind];
    };
    for (let member = 0; member < this.recording.members; member++) add(`m${member + 1}`, "member", member);
    y += 6;
    for (const client of [...this.callsOf.keys()].sort((a, b) => a - b)) add(client >= READER ? "judge" : `c${client}`, "client", client);
    y += 6;
    this.recording.watchers.forEach((watcher, i) => add(`w${watcher.number}`, "watcher", i));
    this.bottom = y + 6;
    return lanes;
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    this.laneList = this.lanes();
    this.width = this.canvas.parentElement.clientWidth;
    this.height = this.bottom;
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    const style = getComputedStyle(document.documentElement);
    this.ink = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = {};
    for (const name of ["paper", "ink", "dim", "line", "grid", "bad", "focus", "leader", "follower", "candidate",
      "pre-candidate", "booting", "down", "on-leader", "on-light", "unsynced", "failed", "message", "lost", "fault",
      "fault-wash", "fault-band", "read", "write", "refused", "unknown", "point", "watch", "witness"]) {
      this.colours[name] = this.ink(name);
    }
    this.draw();
  }

  x(at) {
    return GUTTER + (at - this.view.from) / (this.view.upto - this.view.from) * (this.width - GUTTER - 8);
  }

  at(x) {
    return this.view.from + (x - GUTTER) / (this.width - GUTTER - 8) * (this.view.upto - this.view.from);
  }

  show(from, upto) {
    const least = 2000, whole = this.range.upto - this.range.from;
    let span = Math.min(Math.max(upto - from, least), Math.max(whole, least));
    from = Math.min(Math.max(from, this.range.from), Math.max(this.range.from, this.range.upto - span));
    this.view = { from, upto: from + span };
    this.redraw();
  }

  zoom(factor, about) {
    const centre = about === undefined ? (this.sees(this.cursor) ? this.cursor : (this.view.from + this.view.upto) / 2) : about;
    this.show(centre - (centre - this.view.from) * factor, centre + (this.view.upto - centre) * factor);
  }

  pan(share) {
    const step = (this.view.upto - this.view.from) * share;
    this.show(this.view.from + step, this.view.upto + step);
  }

  sees(at) { return at >= this.view.from && at <= this.view.upto; }

  // Moves the view, without zooming, if the time is out of sight.
  reveal(at) {
    if (this.sees(at)) return this.redraw();
    const half = (this.view.upto - this.view.from) / 2;
    this.show(at - half, at + half);
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  draw() {
    const { pen, colours } = this;
    if (!pen) return;
    this.things = [];
    pen.globalAlpha = 1;
    pen.fillStyle = colours.paper;
    pen.fillRect(0, 0, this.width, this.height);
    pen.textBaseline = "middle";
    this.drawAxis();
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, this.width - GUTTER, this.height);
    pen.clip();
    this.drawFaults();
    for (const lane of this.laneList) {
      if (lane.kind === "member") this.drawMember(lane);
      if (lane.kind === "client") this.drawClient(lane);
      if (lane.kind === "watcher") this.drawWatcher(lane);
    }
    this.arrowsLeftOut = false;
    if (this.kinds.has("message")) this.drawFlights();
    this.drawMarks();
    pen.restore();
    this.drawNames();
    this.hooks.drawn();
  }

  font(size, weight) {
    this.pen.font = `${weight || 400} ${size}px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif`;
  }

  text(text, x, y, colour, width) {
    if (width !== undefined && this.pen.measureText(text).width > width) return false;
    this.pen.fillStyle = colour;
    this.pen.fillText(text, x, y);
    return true;
  }

  // A text that fits, with an ellipsis where its end was.
  shortened(text, width) {
    if (this.pen.measureText(text).width <= width) return text;
    let length = Math.floor(text.length * width / this.pen.measureText(text).width);
    while (length > 0 && this.pen.measureText(text.slice(0, length) + "…").width > width) length--;
    return text.slice(0, Math.max(length, 0)).trimEnd() + "…";
  }

  drawAxis() {
    const { pen, colours } = this;
    const span = this.view.upto - this.view.from;
    let step = 10 ** Math.floor(Math.log10(span / 6));
    for (const times of [1, 2, 5, 10]) if (span / (step * times) <= 8) { step *= times; break; }
    const digits = Math.max(0, Math.ceil(9 - Math.log10(step) - 1e-9));
    this.font(11);
    for (let at = Math.ceil(this.view.from / step) * step; at <= this.view.upto; at += step) {
      const x = this.x(at);
      pen.fillStyle = colours.grid;
      pen.fillRect(x, 18, 1, this.height);
      pen.textAlign = "center";
      if (x > GUTTER + 20 && x < this.width - 30) this.text(`${seconds(at, digits)} s`, x, 10, colours.dim);
    }
    pen.textAlign = "left";
  }

  drawNames() {
    const { pen, colours } = this;
    this.font(12, 600);
    if (this.faultRowCount > 0) this.text("faults", 8, HEIGHTS.axis + HEIGHTS.fault / 2, colours.fault);
    for (const lane of this.laneList) {
      const middle = lane.y + (lane.kind === "member" ? 14 : lane.height / 2);
      this.font(12, 600);
      this.text(lane.name, 8, middle, colours.ink);
      if (lane.kind === "member") {
        const standing = this.standing(lane.index, this.cursor);
        this.font(10.5);
        this.text(`term ${standing.term}`, 8, middle + 17, colours.dim);
        this.text(`commit ${standing.commit}`, 8, middle + 30, colours.dim);
      }
      pen.fillStyle = colours.line;
      pen.fillRect(0, lane.y + lane.height - 0.5, this.width, 0.5);
    }
    pen.fillStyle = colours.line;
    pen.fillRect(GUTTER - 1, 0, 1, this.height);
  }

  // What was last known of a member at a time.
  standing(member, at) {
    const list = this.standingsOf[member];
    const next = lowerBound(list, at + 1, (standing) => standing.at);
    return next > 0 ? list[next - 1] : { term: 0, commit: 0, last_index: 0 };
  }

  box(from, upto, y, height, colour) {
    const left = Math.max(this.x(from), GUTTER - 2), right = Math.min(this.x(upto), this.width + 2);
    if (right < GUTTER || left > this.width) return null;
    const box = { x: left, y, width: Math.max(right - left, 1.5), height };
    if (colour) {
      this.pen.fillStyle = colour;
      this.pen.fillRect(box.x, box.y, box.width, box.height);
    }
    return box;
  }

  thing(box, what, priority) {
    if (box) this.things.push({ ...box, what, priority });
  }

  drawFaults() {
    if (!this.kinds.has("fault")) return;
    const { pen, colours } = this;
    this.font(11, 600);
    for (const { fault, row } of this.faults) {
      const y = HEIGHTS.axis + row * HEIGHTS.fault;
      const box = this.box(fault.from, fault.upto, y + 1, HEIGHTS.fault - 3, colours["fault-band"]);
      if (!box) continue;
      pen.fillStyle = colours.fault;
      pen.fillRect(box.x, box.y, 2, box.height);
      const room = this.nextFault(fault, row) - box.x - 8;
      const label = this.shortened(fault.text, room);
      if (room > 30) this.text(label, box.x + 5, y + HEIGHTS.fault / 2, colours.fault, room);
      this.thing({ ...box, width: Math.max(box.width, 8) }, { fault }, 3);
      for (const lane of this.laneList) {
        if (lane.kind !== "member" || !fault.members.includes(lane.index)) continue;
        this.box(fault.from, fault.upto, lane.y, lane.height, colours["fault-wash"]);
      }
    }
  }

  nextFault(fault, row) {
    let next = this.width;
    for (const other of this.faults) {
      if (other.row === row && other.fault.from > fault.from) next = Math.min(next, this.x(other.fault.from));
    }
    return next;
  }

  drawMember(lane) {
    const { pen, colours } = this;
    const track = this.data.tracks[lane.index];
    const bar = lane.y + 5, thick = 20;
    this.font(11, 600);
    for (let i = lowerBound(track.roles, this.view.from, (span) => span.upto); i < track.roles.length; i++) {
      const span = track.roles[i];
      if (span.from > this.view.upto) break;
      const name = span.is.replace("_", "-");
      const box = this.box(span.from, span.upto, bar, thick, colours[name]);
      if (!box) continue;
      if (span.is === "down") this.hatch(box);
      const term = this.standing(lane.index, Math.min(Math.max(span.from + 1e6, this.view.from), span.upto)).term;
      const dark = span.is === "leader";
      const label = span.is === "down" ? "down" : `${name} · term ${term}`;
      const colour = span.is === "down" ? "#ffffff" : dark ? colours["on-leader"] : colours["on-light"];
      this.text(label, box.x + 5, bar + thick / 2 + 0.5, colour, box.width - 8) ||
        this.text(name[0].toUpperCase(), box.x + 3, bar + thick / 2 + 0.5, colour, box.width - 4);
      this.thing(box, { member: lane.index, span }, 1);
    }
    for (const span of track.paused) {
      const box = this.box(span.from, span.upto, bar, thick);
      if (!box) continue;
      pen.strokeStyle = colours.bad;
      pen.lineWidth = 2;
      pen.strokeRect(box.x, box.y + 1, box.width, box.height - 2);
      const width = pen.measureText("paused").width + 8;
      if (box.width < width) continue;
      pen.fillStyle = colours.bad;
      pen.fillRect(box.x + box.width - width, bar + 1, width, thick - 2);
      this.text("paused", box.x + box.width - width + 4, bar + thick / 2 + 0.5, colours.paper);
    }
    if (this.kinds.has("disk")) {
      for (let i = lowerBound(track.disk, this.view.from, (span) => span.upto); i < track.disk.length; i++) {
        const span = track.disk[i];
        if (span.from > this.view.upto) break;
        const box = this.box(span.from, span.upto, lane.y + 27, 5, colours[span.is]);
        if (box) this.thing({ ...box, y: box.y - 1, height: 7 }, { member: lane.index, disk: span }, 2);
      }
    }
    this.drawCommits(lane);
  }

  // The commit index as a number wherever it moved and there is room, and a line where a new term began.
  drawCommits(lane) {
    const list = this.standingsOf[lane.index];
    this.font(10.5);
    let free = GUTTER, commit = -1, term = this.standing(lane.index, this.view.from).term;
    for (let i = lowerBound(list, this.view.from, (standing) => standing.at); i < list.length; i++) {
      const standing = list[i];
      if (standing.at > this.view.upto) break;
      if (standing.term !== term) {
        term = standing.term;
        this.pen.fillStyle = this.colours.ink;
        this.pen.fillRect(this.x(standing.at), lane.y + 2, 1, 26);
      }
      if (standing.commit === commit) continue;
      commit = standing.commit;
      const x = this.x(standing.at);
      if (x < free) continue;
      this.pen.fillStyle = this.colours.dim;
      this.pen.fillRect(x, lane.y + 34, 1, 5);
      this.text(`${commit}`, x + 3, lane.y + 39, this.colours.dim);
      free = x + 3 + this.pen.measureText(`${commit}`).width + 10;
    }
  }

  hatch(box) {
    const { pen, colours } = this;
    pen.save();
    pen.beginPath();
    pen.rect(box.x, box.y, box.width, box.height);
    pen.clip();
    pen.strokeStyle = colours.dim;
    pen.lineWidth = 1;
    pen.globalAlpha = 0.45;
    pen.beginPath();
    for (let x = box.x - box.height; x < box.x + box.width; x += 7) {
      pen.moveTo(x, box.y + box.height);
      pen.lineTo(x + box.height, box.y);
    }
    pen.stroke();
    pen.restore();
  }

  drawClient(lane) {
    const { pen, colours } = this;
    const y = lane.y + 3, height = lane.height - 7;
    for (const call of this.callsOf.get(lane.index)) {
      const end = call.ret === null ? this.recording.simulated_ns : call.ret;
      if (end < this.view.from || call.call > this.view.upto) continue;
      const box = this.box(call.call, end, y, height, this.callColour(call));
      if (!box) continue;
      if (call.fate === "unknown") this.hatch(box);
      if (lane.index >= READER) {
        this.font(10.5);
        this.text(`#${call.id} ${call.request} → ${call.response}`, box.x + 8, y + height / 2 + 0.5, colours.ink);
      } else if (box.width > 26) {
        this.font(10.5);
        pen.save();
        pen.beginPath();
        pen.rect(box.x, box.y, box.width - 3, box.height);
        pen.clip();
        this.text(`#${call.id} ${call.request} → ${call.response}`, box.x + 5, y + height / 2 + 0.5, colours.paper);
        pen.restore();
      }
      if (call.accused !== "no") {
        pen.strokeStyle = call.accused === "impossible" ? colours.bad : colours.witness;
        pen.lineWidth = 2.5;
        pen.strokeRect(box.x - 2, box.y - 2, box.width + 4, box.height + 4);
      }
      if (call.point) this.drawPoint(call, box);
      this.thing({ ...box, x: box.x - 2, width: box.width + 4 }, { call }, 4);
    }
  }

  drawPoint(call, box) {
    const { pen, colours } = this;
    const x = this.x(call.point.at);
    pen.fillStyle = colours.point;
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.arc(x, box.y + box.height, 3, 0, 7);
    pen.fill();
    pen.stroke();
  }

  callColour(call) {
    if (call.fate === "unknown") return this.colours.unknown;
    if (call.fate === "refused") return this.colours.refused;
    return /^s?get /.test(call.request) ? this.colours.read : this.colours.write;
  }

  drawWatcher(lane) {
    const { pen, colours } = this;
    const middle = lane.y + lane.height / 2;
    this.font(10);
    let free = GUTTER;
    for (const stream of this.recording.watchers[lane.index].streams) {
      const last = stream.replies.length ? stream.replies[stream.replies.length - 1].at : stream.at;
      if (last < this.view.from || stream.at > this.view.upto) continue;
      this.thing(this.box(stream.at, last, middle - 1, 2, colours.watch), { watcher: lane.index, stream }, 1);
      for (let i = 0; i < stream.replies.length; i++) {
        const reply = stream.replies[i];
        if (!this.sees(reply.at)) continue;
        const x = this.x(reply.at);
        const tall = reply.events.length > 0 ? 7 : 3;
        pen.fillStyle = reply.cancelled ? colours.bad : colours.watch;
        pen.fillRect(x - 1, middle - tall, 2, tall * 2);
        this.thing({ x: x - 3, y: lane.y, width: 6, height: lane.height }, { watcher: lane.index, stream, reply }, 4);
        const label = reply.events.map((change) => (change.is_delete ? "−" : "+") + change.kv.mod_revision).join(" ");
        const width = pen.measureText(label).width;
        const next = i + 1 < stream.replies.length ? this.x(stream.replies[i + 1].at) : this.width;
        if (label && x + 4 > free && x + 4 + width < next) {
          this.text(label, x + 4, lane.y + 6, colours.dim);
          free = x + 12 + width;
        }
      }
    }
  }

  drawFlights() {
    const { pen, colours } = this;
    const lanes = new Map(this.laneList.filter((lane) => lane.kind === "member").map((lane) => [lane.index, lane]));
    const seen = [];
    for (let i = lowerBound(this.flights, this.view.from - this.flightMax, (f) => f.sent); i < this.flights.length; i++) {
      const flight = this.flights[i];
      if (flight.sent > this.view.upto) break;
      if (!lanes.has(flight.from) || !lanes.has(flight.to)) continue;
      if ((flight.arrived === null ? flight.sent : flight.arrived) < this.view.from) continue;
      seen.push(flight);
      if (seen.length > ARROWS_MAX) break;
    }
    this.arrowsLeftOut = seen.length > ARROWS_MAX;
    if (this.arrowsLeftOut) return;
    this.labels = [];
    const heads = seen.length < 500, labels = seen.length < 70;
    const alpha = seen.length < 150 ? 0.9 : seen.length < 500 ? 0.55 : 0.3;
    this.font(10);
    for (const flight of seen) {
      const from = lanes.get(flight.from), to = lanes.get(flight.to);
      const down = to.y > from.y;
      const x1 = this.x(flight.sent), y1 = from.y + 15;
      let x2, y2;
      if (flight.arrived === null) {
        x2 = x1 + 14;
        y2 = y1 + (down ? 26 : -18);
      } else {
        x2 = this.x(flight.arrived);
        y2 = to.y + 15;
      }
      const picked = this.picked && this.picked.flight === flight;
      pen.globalAlpha = picked ? 1 : alpha;
      pen.strokeStyle = pen.fillStyle = picked ? colours.focus : flight.arrived === null ? colours.lost : colours.message;
      pen.lineWidth = picked ? 2.5 : 1;
      pen.beginPath();
      pen.moveTo(x1, y1);
      pen.lineTo(x2, y2);
      pen.stroke();
      if (flight.arrived === null) this.cross(x2, y2);
      else if (heads) this.head(x1, y1, x2, y2);
      pen.globalAlpha = 1;
      if (labels) this.flightLabel(flight, x1, y1, x2, y2);
      if (heads) this.things.push({ line: [x1, y1, x2, y2], what: { flight }, priority: 2 });
    }
  }

  flightLabel(flight, x1, y1, x2, y2) {
    const event = this.recording.events[flight.send_event].event;
    const label = `${this.hooks.messageName(flight.send_event)} ${event.index || ""}`.trim();
    const width = this.pen.measureText(label).width;
    // At one of several places along the arrow, or nowhere.
    for (const along of [0.4, 0.6, 0.25, 0.75]) {
      const box = [x1 + (x2 - x1) * along + 5, y1 + (y2 - y1) * along - 6, width, 12];
      const meets = ([x, y, w, h]) => box[0] < x + w && x < box[0] + box[2] && box[1] < y + h && y < box[1] + box[3];
      if (this.labels.some(meets) || this.onBar(box)) continue;
      this.labels.push(box);
      this.text(label, box[0], box[1] + 6, this.colours.dim);
      return;
    }
  }

  // Whether a box lies over the words on a member's bar.
  onBar([, y, , height]) {
    return this.laneList.some((lane) => lane.kind === "member" && y < lane.y + 25 && lane.y + 5 < y + height);
  }

  cross(x, y) {
    const { pen } = this;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x - 3, y - 3); pen.lineTo(x + 3, y + 3);
    pen.moveTo(x + 3, y - 3); pen.lineTo(x - 3, y + 3);
    pen.stroke();
  }

  head(x1, y1, x2, y2) {
    const { pen } = this;
    const angle = Math.atan2(y2 - y1, x2 - x1);
    pen.beginPath();
    pen.moveTo(x2, y2);
    pen.lineTo(x2 - 7 * Math.cos(angle - 0.35), y2 - 7 * Math.sin(angle - 0.35));
    pen.lineTo(x2 - 7 * Math.cos(angle + 0.35), y2 - 7 * Math.sin(angle + 0.35));
    pen.fill();
  }

  drawMarks() {
    const { pen, colours } = this;
    const verdict = this.recording.verdict;
    if (verdict.judge && this.sees(verdict.at)) {
      const x = this.x(verdict.at);
      pen.strokeStyle = colours.bad;
      pen.lineWidth = 2;
      pen.setLineDash([6, 4]);
      pen.beginPath();
      pen.moveTo(x, 16);
      pen.lineTo(x, this.height);
      pen.stroke();
      pen.setLineDash([]);
      this.font(11, 700);
      const label = `${verdict.judge}`;
      const width = pen.measureText(label).width;
      const left = Math.min(Math.max(x - width / 2, GUTTER + 4), this.width - width - 6);
      pen.fillStyle = colours.bad;
      pen.fillRect(left - 4, 1, width + 8, 17);
      this.text(label, left, 10, colours.paper);
    }
    if (this.sees(this.cursor)) {
      pen.fillStyle = colours.focus;
      pen.fillRect(this.x(this.cursor) - 0.75, 18, 1.5, this.height);
    }
  }

  // What lies at a place: the smallest of what matters most.
  what(x, y) {
    let best = null;
    for (const thing of this.things) {
      let near;
      if (thing.line) {
        const [x1, y1, x2, y2] = thing.line;
        const length = Math.hypot(x2 - x1, y2 - y1) || 1;
        const along = Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length ** 2));
        near = Math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1)) < 4;
      } else {
        near = x >= thing.x - 1 && x <= thing.x + thing.width + 1 && y >= thing.y && y <= thing.y + thing.height;
      }
      if (near && (!best || thing.priority >= best.priority)) best = thing;
    }
    return best && best.what;
  }

  laneAt(y) {
    return this.laneList.find((lane) => y >= lane.y && y < lane.y + lane.height) || null;
  }

  listen() {
    const { canvas } = this;
    let drag = null;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("wheel", (event) => {
      if (!event.shiftKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.pan(event.deltaX / this.width);
      } else if (!event.shiftKey) {
        event.preventDefault();
        this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), this.at(place(event)[0]));
      }
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, y: event.clientY, top: canvas.parentElement.scrollTop, view: { ...this.view }, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      if (!drag) return this.hooks.hover(this.what(x, y));
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 4) drag.moved = true;
      if (!drag.moved) return undefined;
      canvas.parentElement.scrollTop = drag.top + drag.y - event.clientY;
      const step = (drag.x - event.clientX) / (this.width - GUTTER - 8) * (drag.view.upto - drag.view.from);
      return this.show(drag.view.from + step, drag.view.upto + step);
    });
    canvas.addEventListener("pointerup", (event) => {
      const [x, y] = place(event);
      if (drag && !drag.moved) this.hooks.click(this.what(x, y), this.at(Math.max(x, GUTTER)), this.laneAt(y));
      drag = null;
    });
    canvas.addEventListener("pointerleave", () => this.hooks.hover(null));
  }
}
