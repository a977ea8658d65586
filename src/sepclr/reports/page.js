(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const n = data.target.length, size = 400, margin = 16, radius = n > 300 ? 3.6 : 5;
  const maps = [...document.querySelectorAll(".map")];
  const legend = document.getElementById("legend"), tip = document.getElementById("tip");
  const stops = [[61, 90, 158], [109, 120, 144], [155, 149, 120], [205, 182, 83], [240, 213, 70]];
  let attribute = data.attributes[0], pinned = null, active = null;

  const make = (parent, name) => parent.appendChild(document.createElementNS(parent.namespaceURI, name));
  const at = (space, i) => data.planes[space][i].map((v, axis) => margin + (axis ? 1 - v : v) * (size - 2 * margin));

  // Draw background first, so that targets are on top.
  const order = [...Array(n).keys()].sort((a, b) => data.target[a] - data.target[b] || a - b);
  for (const map of maps) {
    map.points = [];
    for (const i of order) {
      const [x, y] = at(map.dataset.space, i), point = make(map, "circle");
      point.setAttribute("cx", x.toFixed(1));
      point.setAttribute("cy", y.toFixed(1));
      point.setAttribute("r", data.target[i] ? radius : radius - 0.5);
      point.dataset.index = i;
      point.setAttribute("tabindex", "-1");
      point.setAttribute("aria-hidden", "true");
      point.addEventListener("focus", () => show(i, map));
      map.points[i] = point;
    }
    map.ring = make(map, "circle");
    map.ring.setAttribute("class", "ring");
    map.ring.setAttribute("r", radius + 4);
    enter(map, order[n - 1]);
  }

  function ramp(t) {
    const k = Math.min(Math.floor(t * 4), 3), f = t * 4 - k;
    return `rgb(${stops[k].map((v, j) => Math.round(v + f * (stops[k + 1][j] - v))).join(" ")})`;
  }
  function colour(i) {
    const value = attribute.values[i];
    if (value === null || (attribute.salient && !data.target[i])) return "var(--k10)";
    return attribute.quantity ? ramp(value) : `var(--k${value})`;
  }
  function paint() {
    for (const map of maps) map.points.forEach((point, i) => {
      const shade = colour(i);
      point.style.fill = data.target[i] ? shade : "transparent";
      point.style.stroke = data.target[i] ? "var(--page)" : shade;
      point.style.strokeWidth = data.target[i] ? 0.6 : 1.2;
    });
    drawLegend();
    isolate(null);
  }
  function isolate(value) {
    for (const map of maps) map.points.forEach((point, i) =>
      point.classList.toggle("off", value !== null && (attribute.values[i] !== value || (attribute.salient && !data.target[i]))));
  }
  function plain(text, style) {
    const item = legend.appendChild(document.createElement("li")), dot = document.createElement("i");
    item.className = "plain";
    Object.assign(dot.style, style);
    item.append(dot, text);
  }
  function drawLegend() {
    legend.replaceChildren();
    pinned = null;
    if (attribute.quantity) {
      const item = legend.appendChild(document.createElement("li")), bar = document.createElement("i");
      item.className = "plain";
      bar.className = "ramp";
      bar.style.background = `linear-gradient(90deg, ${stops.map((s) => `rgb(${s.join(" ")})`).join(", ")})`;
      item.append(attribute.low, bar, attribute.high);
    } else {
      const used = new Set(attribute.values), others = attribute.names.length - 10;
      attribute.names.slice(0, 10).forEach((name, k) => used.has(k) && entry(name, k));
      if (others > 0) entry(`${others} other${others > 1 ? "s" : ""}`, 10);
    }
    if (attribute.values.some((value, i) => value === null && !data.target[i]))
      plain("background", { border: "1.5px solid var(--k10)" });
  }
  function entry(name, k) {
    const button = legend.appendChild(document.createElement("li")).appendChild(document.createElement("button"));
    const dot = document.createElement("i");
    dot.style.background = `var(--k${k})`;
    button.type = "button";
    button.append(dot, name);
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      pinned = pinned === k ? null : k;
      for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && pinned === k));
      isolate(pinned);
    });
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && isolate(k));
    button.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && isolate(pinned));
  }

  // One point per map is in the tab order; the arrow keys move from there.
  function enter(map, i) {
    const before = map.points[map.current];
    if (before) {
      for (const name of ["role", "aria-label"]) before.removeAttribute(name);
      before.setAttribute("tabindex", "-1");
      before.setAttribute("aria-hidden", "true");
    }
    map.current = i;
    map.points[i].setAttribute("tabindex", "0");
    map.points[i].removeAttribute("aria-hidden");
    map.points[i].setAttribute("role", "img");
    map.points[i].setAttribute("aria-label", described(i).map(([name, text]) => `${name} ${text}`).join(", "));
  }
  function described(i) {
    return data.attributes.filter((a) => a.text[i] !== "").map((a) => [a.name.replaceAll("_", " "), a.text[i]]);
  }
  function show(i, map) {
    enter(map, i);
    active = i;
    for (const other of maps) {
      const [x, y] = at(other.dataset.space, i);
      other.ring.setAttribute("cx", x);
      other.ring.setAttribute("cy", y);
      other.ring.style.visibility = "visible";
    }
    const tile = tip.querySelector(".tile"), columns = tile && Number(getComputedStyle(tile).getPropertyValue("--columns"));
    if (tile) {
      tile.style.setProperty("--x", i % columns);
      tile.style.setProperty("--y", Math.floor(i / columns));
    }
    tip.querySelector("dl").replaceChildren(...described(i).flatMap(([name, text]) =>
      [["dt", name], ["dd", text]].map(([kind, words]) => Object.assign(document.createElement(kind), { textContent: words }))));
    tip.dataset.index = i;
    tip.hidden = false;
    place(map.points[i].getBoundingClientRect());
  }
  function place(box) {
    const gap = 14, wide = document.documentElement.clientWidth, own = tip.getBoundingClientRect();
    let left = box.right + gap, top = box.top + box.height / 2 - own.height / 2;
    if (left + own.width > wide - 8) left = box.left - gap - own.width;
    if (left < 8) {
      left = Math.min(Math.max(box.left + box.width / 2 - own.width / 2, 8), wide - own.width - 8);
      top = box.top - gap - own.height < 8 ? box.bottom + gap : box.top - gap - own.height;
    }
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${Math.max(top, 8) + scrollY}px`;
  }
  function hide() {
    active = null;
    tip.hidden = true;
    for (const map of maps) map.ring.style.visibility = "hidden";
  }
  function nearest(map, x, y, reach) {
    let best = null, least = reach * reach;
    for (const i of order) {
      const [px, py] = at(map.dataset.space, i), d = (px - x) ** 2 + (py - y) ** 2;
      if (d <= least) { best = i; least = d; }
    }
    return best;
  }
  function towards(map, dx, dy) {
    const [x, y] = at(map.dataset.space, map.current);
    let best = null, least = Infinity;
    for (const i of order) {
      const [px, py] = at(map.dataset.space, i), along = (px - x) * dx + (py - y) * dy;
      const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (along > 0.05 && along + 2.5 * across < least) { best = i; least = along + 2.5 * across; }
    }
    return best;
  }

  for (const map of maps) {
    const point = (event, reach) => {
      const box = map.getBoundingClientRect(), scale = size / box.width;
      return nearest(map, (event.clientX - box.left) * scale, (event.clientY - box.top) * scale, reach * scale);
    };
    map.addEventListener("pointermove", (event) => {
      const i = event.pointerType === "mouse" ? point(event, 14) : null;
      if (i !== null && i !== active) show(i, map);
    });
    map.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    map.addEventListener("click", (event) => {
      const i = point(event, 28);
      if (i === null) hide(); else show(i, map);
    });
    map.addEventListener("focusout", hide);
    map.addEventListener("keydown", (event) => {
      const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const i = towards(map, ...step);
      if (i !== null) map.points[i].focus();
    });
  }
  document.addEventListener("pointerdown", (event) => event.target.closest(".map") || hide());
  addEventListener("resize", hide);
  for (const input of document.querySelectorAll(".choice input"))
    input.addEventListener("change", () => { attribute = data.attributes[Number(input.value)]; paint(); });
  const checked = document.querySelector(".choice input:checked");
  if (checked) attribute = data.attributes[Number(checked.value)];
  paint();
})();
