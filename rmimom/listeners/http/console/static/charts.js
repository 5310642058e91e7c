// Charts of what waits and how much comes and goes, by uPlot; the figures that the page holds stay below.

import { ask, clock, make, remember, remembered } from "./page.js";

const SPANS = [
  [60, "1 min"],
  [900, "15 min"],
  [3600, "1 h"],
  [10800, "3 h"],
  [86400, "1 day"],
];
const POINTS = 300;
const HEIGHT = 220;

const SERIES = {
  depth: [["Waiting", "pending", "--accent"]],
  rate: [
    ["In", "in_rate", "--accent"],
    ["Out", "out_rate", "--warn"],
  ],
};

let charts = [];
let span = Number(remembered("span", "900"));

export function startCharts() {
  document.addEventListener("theme", () => charts.forEach((chart) => chart.draw()));
  document.addEventListener("visibilitychange", () => !document.hidden && charts.forEach((chart) => chart.refresh()));
  return () => {
    charts.filter((chart) => !chart.figure.isConnected).forEach((chart) => chart.stop());
    charts = charts.filter((chart) => chart.figure.isConnected);
    for (const figure of document.querySelectorAll("figure[data-chart]:not([data-drawn])")) {
      figure.dataset.drawn = "";
      charts.push(new Chart(figure));
    }
  };
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.series = SERIES[figure.dataset.chart] ?? SERIES.depth;
    this.plot = make("div", { class: "plot" });
    this.spans = make("span", { class: "spans", role: "group", "aria-label": "Time shown" });
    for (const [seconds, label] of SPANS) {
      const choose = () => {
        span = seconds;
        remember("span", String(seconds));
        charts.forEach((chart) => chart.choose());
      };
      this.spans.append(make("button", { type: "button", "data-seconds": seconds, onclick: choose }, label));
    }
    const caption = figure.querySelector("figcaption");
    caption.append(this.spans);
    caption.after(this.plot);
    this.empty = make("p", { class: "empty", hidden: "" }, "No figures yet: there is one each second.");
    this.plot.after(this.empty);
    const rest = [...figure.children].filter((one) => ![caption, this.plot, this.empty].includes(one));
    if (rest.length) figure.append(make("details", {}, make("summary", {}, "Figures"), ...rest));
    this.observer = new ResizeObserver(() => this.uplot?.setSize(this.size()));
    this.observer.observe(this.plot);
    this.timer = 0;
    this.data = [[], ...this.series.map(() => [])];
    this.choose();
  }

  size() {
    return { width: Math.max(200, this.plot.clientWidth), height: HEIGHT };
  }

  choose() {
    for (const button of this.spans.children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.seconds) === span));
    }
    this.refresh();
  }

  async refresh() {
    clearTimeout(this.timer);
    if (this.stopped || document.hidden) return;
    const asked = span;
    try {
      const response = await ask(`${this.figure.dataset.source}?seconds=${asked}&points=${POINTS}`);
      if (response.ok && asked === span) this.take((await response.json()).items);
    } catch {
      // The mark of the live connection says that the server is away.
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), Math.max(1, asked / POINTS) * 1000);
  }

  take(answer) {
    // The first has none before it, so its rates say nothing.
    const points = answer.slice(1);
    this.data = [points.map((point) => point.at / 1000), ...this.series.map(([, field]) => points.map((point) => point[field]))];
    this.empty.hidden = points.length > 1;
    this.plot.hidden = points.length < 2;
    if (!this.uplot) this.draw();
    else {
      this.uplot.setData(this.data);
      this.uplot.setScale("x", this.range());
      this.tellLast();
    }
  }

  /** The figures of now, unless somebody points at another time. */
  tellLast() {
    if (this.uplot.cursor.idx === null || this.uplot.cursor.idx === undefined) {
      this.uplot.setLegend({ idx: this.data[0].length - 1 }, false);
    }
  }

  range() {
    const last = this.data[0].at(-1) ?? Date.now() / 1000;
    return { min: last - span, max: last };
  }

  draw() {
    this.uplot?.destroy();
    this.uplot = null;
    if (this.stopped || this.data[0].length < 2) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => resolve(style.getPropertyValue(name));
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const options = {
      ...this.size(),
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
      axes: [{ ...axis, space: 70, values: (_, ticks) => ticks.map(time) }, { ...axis, size: 60, values: (_, ticks) => ticks.map(short) }],
      series: [
        { value: (_, at) => (at === null ? "" : clock(at * 1000)), label: "Time" },
        ...this.series.map(([label, , name]) => ({
          label,
          stroke: colour(name),
          width: 2,
          fill: this.series.length === 1 ? faint(colour(name)) : undefined,
          points: { show: false },
          value: (_, value) => (value === null || value === undefined ? "" : short(value)),
        })),
      ],
    };
    this.uplot = new uPlot(options, this.data, this.plot);
    this.uplot.setScale("x", this.range());
    this.tellLast();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.uplot?.destroy();
  }
}

/** A tick of the axis of time: to the second only if there is room for seconds. */
const time = (at) => (span > 60 ? clock(at * 1000).slice(0, 5) : clock(at * 1000));
const numbers = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const short = (value) => (value === null ? "" : numbers.format(value));

/** A colour as canvas understands it: of `light-dark()` the part that holds now. */
function resolve(value) {
  const probe = make("i", { hidden: "" });
  probe.style.color = value;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

const faint = (colour) => colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)");
