"use strict";
// The reading of a chart: a line that follows the pointer or the arrow keys, and its numbers.
(() => {
  const HEIGHT = 220;
  const SVG = "http://www.w3.org/2000/svg";
  const show = (value) => {
    if (value === null || value === undefined) return "–";
    const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
    return text.replace("-", "−");
  };

  const scaled = (data, value) => data.log
    ? Math.log(value / data.low) / Math.log(data.high / data.low)
    : (value - data.low) / (data.high - data.low);

  const make = (parent, name, kind) => {
    const element = document.createElementNS(SVG, name);
    element.setAttribute("class", kind);
    parent.append(element);
    return element;
  };

  const attach = (area) => {
    const data = JSON.parse(area.dataset.chart);
    const svg = area.querySelector("svg");
    const layer = make(svg, "g", "reading");
    const line = make(layer, "line", "cursor");
    line.setAttribute("y1", "0");
    line.setAttribute("y2", String(HEIGHT));
    const dots = data.series.map((each) => {
      const dot = make(layer, "circle", `dot c${each.colour}`);
      dot.setAttribute("r", "4");
      return dot;
    });
    const note = document.createElement("div");
    note.className = "note";
    note.hidden = true;
    area.append(note);
    layer.style.display = "none";
    let at = data.x.length - 1;

    const words = () => {
      const parts = data.series.map((each) => `${each.name} ${show(each.values[at])}`);
      const kept = data.x[at] === data.kept ? " (kept)" : "";
      return [`epoch ${show(data.x[at])}${kept}`, ...parts];
    };

    const draw = () => {
      const right = (data.x[at] - data.from) / (data.to - data.from);
      layer.style.display = "";
      line.setAttribute("x1", `${100 * right}%`);
      line.setAttribute("x2", `${100 * right}%`);
      data.series.forEach((each, n) => {
        const value = each.values[at];
        dots[n].style.display = value === null ? "none" : "";
        if (value === null) return;
        dots[n].setAttribute("cx", `${100 * right}%`);
        dots[n].setAttribute("cy", String(HEIGHT * (1 - scaled(data, value))));
      });
      note.replaceChildren(...words().map((text) => {
        const row = document.createElement("div");
        row.textContent = text;
        return row;
      }));
      note.hidden = false;
      const room = area.clientWidth - note.offsetWidth;
      const wanted = right * area.clientWidth + (right < 0.5 ? 14 : -14 - note.offsetWidth);
      note.style.left = `${Math.max(0, Math.min(room, wanted))}px`;
      area.setAttribute("aria-valuenow", String(at));
      area.setAttribute("aria-valuetext", words().join(", "));
    };

    const hide = () => {
      layer.style.display = "none";
      note.hidden = true;
    };

    const nearest = (x) => {
      let low = 0;
      let high = data.x.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (data.x[middle] < x) low = middle; else high = middle;
      }
      return x - data.x[low] < data.x[high] - x ? low : high;
    };

    const follow = (event) => {
      const box = area.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      at = nearest(data.from + share * (data.to - data.from));
      draw();
    };

    const steps = {
      ArrowRight: () => at + 1,
      ArrowLeft: () => at - 1,
      PageUp: () => at + Math.ceil(data.x.length / 10),
      PageDown: () => at - Math.ceil(data.x.length / 10),
      Home: () => 0,
      End: () => data.x.length - 1,
    };
    area.setAttribute("role", "slider");
    area.setAttribute("tabindex", "0");
    area.setAttribute("aria-label", `${svg.getAttribute("aria-label")} Arrow keys read the curves.`);
    area.setAttribute("aria-valuemin", "0");
    area.setAttribute("aria-valuemax", String(data.x.length - 1));
    area.setAttribute("aria-valuenow", String(at));
    area.setAttribute("aria-valuetext", words().join(", "));
    area.addEventListener("pointermove", follow);
    area.addEventListener("pointerdown", follow);
    area.addEventListener("pointerleave", () => { if (document.activeElement !== area) hide(); });
    area.addEventListener("focus", () => { if (area.matches(":focus-visible")) draw(); });
    area.addEventListener("blur", hide);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { hide(); return; }
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      at = Math.max(0, Math.min(data.x.length - 1, step()));
      draw();
    });
  };
  document.querySelectorAll("[data-chart]").forEach(attach);

  // Plots stand small beside one another; one that is pressed takes the whole width.
  document.querySelectorAll(".plots:not(.few) img").forEach((image) => {
    const figure = image.closest("figure");
    const turn = () => {
      const large = figure.classList.toggle("large");
      image.setAttribute("aria-expanded", String(large));
    };
    image.setAttribute("role", "button");
    image.setAttribute("tabindex", "0");
    image.setAttribute("aria-expanded", "false");
    image.addEventListener("click", turn);
    image.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      turn();
    });
  });

  // The filter of verdicts: nothing is hidden where no script runs.
  const filter = document.querySelector("[data-filter]");
  if (filter) {
    filter.hidden = false;
    filter.addEventListener("change", () => {
      const wanted = filter.querySelector("input:checked").value;
      document.querySelectorAll("[data-verdict]").forEach((each) => {
        each.hidden = wanted !== "all" && each.dataset.verdict !== wanted;
      });
    });
  }

  // A link to a part that is folded up, or filtered away, opens it.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.hidden = false;
    target.closest("details")?.setAttribute("open", "");
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
