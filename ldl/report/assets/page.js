"use strict";
// Reads charts: a line follows the pointer or the arrow keys, a note shows the values there.
(() => {
  const HEIGHT = 220;
  const SVG = "http://www.w3.org/2000/svg";
  const format = (value) => {
    if (value === null || value === undefined) return "–";
    const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
    return text.replace("-", "−");
  };

  const fraction = (data, value) => data.log
    ? Math.log(value / data.low) / Math.log(data.high / data.low)
    : (value - data.low) / (data.high - data.low);

  const append = (parent, name, style) => {
    const element = document.createElementNS(SVG, name);
    element.setAttribute("class", style);
    parent.append(element);
    return element;
  };

  const attach = (area) => {
    const data = JSON.parse(area.dataset.chart);
    const svg = area.querySelector("svg");
    const layer = append(svg, "g", "reading");
    const line = append(layer, "line", "cursor");
    line.setAttribute("y1", "0");
    line.setAttribute("y2", String(HEIGHT));
    const dots = data.series.map((curve) => {
      const dot = append(layer, "circle", `dot c${curve.colour}`);
      dot.setAttribute("r", "4");
      return dot;
    });
    const note = document.createElement("div");
    note.className = "note";
    note.hidden = true;
    area.append(note);
    layer.style.display = "none";
    let index = data.x.length - 1;

    const readings = () => {
      const parts = data.series.map((curve) => `${curve.name} ${format(curve.values[index])}`);
      const kept = data.x[index] === data.kept ? " (kept)" : "";
      return [`epoch ${format(data.x[index])}${kept}`, ...parts];
    };

    const draw = () => {
      const right = (data.x[index] - data.from) / (data.to - data.from);
      layer.style.display = "";
      line.setAttribute("x1", `${100 * right}%`);
      line.setAttribute("x2", `${100 * right}%`);
      data.series.forEach((curve, i) => {
        const value = curve.values[index];
        dots[i].style.display = value === null ? "none" : "";
        if (value === null) return;
        dots[i].setAttribute("cx", `${100 * right}%`);
        dots[i].setAttribute("cy", String(HEIGHT * (1 - fraction(data, value))));
      });
      note.replaceChildren(...readings().map((text) => {
        const row = document.createElement("div");
        row.textContent = text;
        return row;
      }));
      note.hidden = false;
      const space = area.clientWidth - note.offsetWidth;
      const left = right * area.clientWidth + (right < 0.5 ? 14 : -14 - note.offsetWidth);
      note.style.left = `${Math.max(0, Math.min(space, left))}px`;
      area.setAttribute("aria-valuenow", String(index));
      area.setAttribute("aria-valuetext", readings().join(", "));
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

    const followPointer = (event) => {
      const box = area.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      index = nearest(data.from + share * (data.to - data.from));
      draw();
    };

    const steps = {
      ArrowRight: () => index + 1,
      ArrowLeft: () => index - 1,
      PageUp: () => index + Math.ceil(data.x.length / 10),
      PageDown: () => index - Math.ceil(data.x.length / 10),
      Home: () => 0,
      End: () => data.x.length - 1,
    };
    area.setAttribute("role", "slider");
    area.setAttribute("tabindex", "0");
    area.setAttribute("aria-label", `${svg.getAttribute("aria-label")} Arrow keys read the curves.`);
    area.setAttribute("aria-valuemin", "0");
    area.setAttribute("aria-valuemax", String(data.x.length - 1));
    area.setAttribute("aria-valuenow", String(index));
    area.setAttribute("aria-valuetext", readings().join(", "));
    area.addEventListener("pointermove", followPointer);
    area.addEventListener("pointerdown", followPointer);
    area.addEventListener("pointerleave", () => { if (document.activeElement !== area) hide(); });
    area.addEventListener("focus", () => { if (area.matches(":focus-visible")) draw(); });
    area.addEventListener("blur", hide);
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { hide(); return; }
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      index = Math.max(0, Math.min(data.x.length - 1, step()));
      draw();
    });
  };
  document.querySelectorAll("[data-chart]").forEach(attach);

  // Plots are small; a click or Enter enlarges one to the whole width, and reduces it again.
  document.querySelectorAll(".plots:not(.few) img").forEach((image) => {
    const figure = image.closest("figure");
    const toggle = () => {
      const large = figure.classList.toggle("large");
      image.setAttribute("aria-expanded", String(large));
    };
    image.setAttribute("role", "button");
    image.setAttribute("tabindex", "0");
    image.setAttribute("aria-expanded", "false");
    image.addEventListener("click", toggle);
    image.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      toggle();
    });
  });

  // Filters claims by verdict; without a script the filter itself is hidden.
  const filter = document.querySelector("[data-filter]");
  if (filter) {
    filter.hidden = false;
    filter.addEventListener("change", () => {
      const verdict = filter.querySelector("input:checked").value;
      document.querySelectorAll("[data-verdict]").forEach((claim) => {
        claim.hidden = verdict !== "all" && claim.dataset.verdict !== verdict;
      });
    });
  }

  // A link to a folded or filtered part opens it.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    target.hidden = false;
    target.closest("details")?.setAttribute("open", "");
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
