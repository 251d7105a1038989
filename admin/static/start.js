// The first page, kept up to date while it is seen: parts of it are compared with fresh ones and
// changed where they differ, charts get new figures.
(() => {
  "use strict";
  const EVERY_MS = 5000;
  const COUNTING_MS = 400; // older runs are still being counted: ask again soon
  const overview = document.getElementById("overview");
  const frame = document.getElementById("charts");
  const counting = document.getElementById("counting");
  const charts = new Map();
  let figures = frame ? JSON.parse(frame.dataset.charts) : {};

  // A colour as the browser has computed it: variables may be made of other variables.
  function computed(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    overview.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  function colours() {
    return {
      success: computed("--tblr-green"), failed: computed("--tblr-red"), timeout: computed("--tblr-orange"),
      lost: computed("--tblr-purple"), missed: computed("--tblr-yellow"), skipped: computed("--tblr-azure"),
      cancelled: computed("--chart-grey"), text: computed("--chart-text"), line: computed("--chart-line"),
    };
  }

  function sets(figure, palette) {
    return figure.stacks.map((stack) => ({
      label: stack.name, data: stack.counts, backgroundColor: palette[stack.state],
      hoverBackgroundColor: palette[stack.state], stack: "runs", borderWidth: 0, barPercentage: 0.9, categoryPercentage: 0.95,
    }));
  }

  function draw(canvas) {
    const palette = colours();
    const figure = figures[canvas.dataset.chart];
    const some = (item, data) => data.datasets[item.datasetIndex].data.some((count) => count);
    const axis = { grid: { color: palette.line }, border: { display: false }, ticks: { color: palette.text, maxRotation: 0, autoSkipPadding: 12, precision: 0 }, stacked: true };
    charts.set(canvas, new Chart(canvas, {
      type: "bar",
      data: { labels: figure.labels, datasets: sets(figure, palette) },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
        scales: { x: { ...axis, grid: { display: false } }, y: { ...axis, beginAtZero: true, suggestedMax: 5 } },
        plugins: {
          legend: { position: "bottom", labels: { color: palette.text, boxWidth: 10, boxHeight: 10, filter: some } },
          tooltip: { filter: (item) => item.parsed.y > 0 },
        },
      },
    }));
  }

  function redraw() {
    for (const chart of charts.values()) chart.destroy();
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) draw(canvas);
  }

  function update() {
    for (const [canvas, chart] of charts) {
      const { labels, stacks } = figures[canvas.dataset.chart];
      chart.data.labels = labels;
      stacks.forEach((stack, number) => (chart.data.datasets[number].data = stack.counts));
      chart.update("none");
    }
  }

  async function refresh() {
    const response = await fetch(overview.dataset.overview, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10_000) });
    if (!response.ok) return EVERY_MS; // the bar on top tells
    const fresh = await response.json();
    if (fresh.empty !== "empty" in overview.dataset) return location.reload();
    for (const [name, html] of Object.entries(fresh.parts)) {
      const part = overview.querySelector(`[data-part="${name}"]`);
      if (!part) continue;
      const wanted = part.cloneNode(false);
      wanted.innerHTML = html;
      morph(part, wanted);
    }
    if (frame) {
      figures = fresh.charts;
      counting.hidden = fresh.complete;
      update();
    }
    return fresh.complete ? EVERY_MS : COUNTING_MS;
  }

  function poll() {
    const turn = document.hidden ? Promise.resolve(EVERY_MS) : refresh().catch(() => EVERY_MS);
    turn.then((wait) => setTimeout(poll, wait ?? EVERY_MS));
  }

  if (frame) {
    redraw();
    new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  }
  setTimeout(poll, counting && !counting.hidden ? COUNTING_MS : EVERY_MS);
})();
