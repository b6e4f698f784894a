//! The runs under their roofs, and where a layer's cycles go, as SVG.

use crate::{
    Outcome,
    account::{Account, WINDOW},
    model::{Case, Shape},
};
use serde_json::Value;
use std::{fmt::Write as _, fs, path::Path};
use terntable_golden::card::config::CardConfig;
use terntable_testbench::card::UNITS;

const COLOURS: [&str; 8] =
    ["#8c8c8c", "#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf", "#bcbd22"];
/// Cycles a second.
const HERTZ: f64 = 250e6;

struct Svg(String);

impl Svg {
    fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        ));
        svg.text(width / 2.0, 20.0, "middle", title);
        svg
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"");
        let _ = writeln!(self.0, "<text {place}>{text}</text>");
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, width: f64) {
        let ends = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
        let _ = writeln!(self.0, "<line {ends} stroke=\"{stroke}\" stroke-width=\"{width}\"/>");
    }

    fn write(mut self, folder: &Path, name: &str) -> Outcome<()> {
        self.0 += "</svg>\n";
        fs::create_dir_all(folder)?;
        fs::write(folder.join(name), self.0)?;
        Ok(())
    }
}

/// The layer of an account: a row for every unit and stream, as high as its share of each window.
pub fn timeline(
    folder: &Path,
    shape: &Shape,
    case: &Case,
    memory: &str,
    account: &Account,
) -> Outcome<()> {
    let Some(layer) = account.get(1) else { return Ok(()) };
    let (left, row, width) = (100.0, 44.0, 1000.0);
    let rows: Vec<&str> = UNITS.iter().copied().chain(["weight beats", "beats read"]).collect();
    let title =
        format!("{} {}, memory {memory}: a layer, {} cycles", shape.name, case.name, layer.cycles);
    let mut svg = Svg::new(left + width + 20.0, 60.0 + row * rows.len() as f64, &title);
    let step = width / layer.windows.len().max(1) as f64;
    for (index, name) in rows.iter().enumerate() {
        let base = 40.0 + row * (index + 1) as f64 - 6.0;
        svg.text(left - 8.0, base - 10.0, "end", name);
        let mut path = format!("M{left} {base}");
        for (i, window) in layer.windows.iter().enumerate() {
            let share = f64::from(window[index]) / WINDOW as f64;
            let (x, y) = (left + step * i as f64, base - share * (row - 10.0));
            let _ = write!(path, "L{x:.1} {y:.1}H{:.1}", x + step);
        }
        let _ = write!(path, "V{base}Z");
        let _ = writeln!(svg.0, "<path d=\"{path}\" fill=\"{}\"/>", COLOURS[index]);
        svg.line((left, base), (left + width, base), "#ccc", 1.0);
    }
    svg.text(left, 54.0 + row * rows.len() as f64, "start", "0");
    let cycles = layer.cycles.to_string();
    svg.text(left + width, 54.0 + row * rows.len() as f64, "end", &cycles);
    svg.write(folder, &format!("timeline-{}-{}-{memory}.svg", shape.name, case.name))
}

/// All runs: multiply-accumulates a second over those a byte, under the roofs of memory and engine.
pub fn roofline(folder: &Path, card: &CardConfig, runs: &[Value]) -> Outcome<()> {
    let (left, top, width, height) = (70.0, 40.0, 620.0, 400.0);
    let memory = card.beat_bytes() as f64 * HERTZ;
    let engine = (3 * card.slots * card.rows * card.groups) as f64 * HERTZ;
    let (x0, x1, y0, y1) = (1.0f64, 256.0f64, memory, 2.0 * engine);
    let x = |v: f64| left + width * (v / x0).log2() / (x1 / x0).log2();
    let y = |v: f64| top + height * (1.0 - (v / y0).log2() / (y1 / y0).log2());
    let title =
        format!("{} at {} MHz: layers under their roofs (simulated)", card.name, HERTZ / 1e6);
    let mut svg = Svg::new(left + width + 330.0, top + height + 60.0, &title);
    let ridge = engine / memory;
    svg.line((x(x0), y(memory * x0)), (x(ridge), y(engine)), "black", 2.0);
    svg.line((x(ridge), y(engine)), (x(x1), y(engine)), "black", 2.0);
    svg.text(x(2.2), y(memory * 3.4), "end", &format!("{:.1} GB/s", memory / 1e9));
    svg.text(
        x(x1),
        y(engine) - 6.0,
        "end",
        &format!("{:.2} T MAC/s at {} slots", engine / 1e12, card.slots),
    );
    svg.line((left, top + height), (left + width, top + height), "black", 1.0);
    svg.line((left, top), (left, top + height), "black", 1.0);
    for exponent in 0..=8 {
        let v = f64::from(1 << exponent);
        svg.text(x(v), top + height + 18.0, "middle", &v.to_string());
    }
    svg.text(
        left + width / 2.0,
        top + height + 42.0,
        "middle",
        "multiply-accumulates a byte that crosses the ports",
    );
    let mut tick = 16e9;
    while tick < y1 {
        svg.text(left - 6.0, y(tick) + 4.0, "end", &format!("{:.0}", tick / 1e9));
        tick *= 4.0;
    }
    svg.text(left, top - 8.0, "middle", "G MAC/s");
    for (index, run) in runs.iter().enumerate() {
        let layer = &run["layer"];
        let number = |value: &Value| value.as_f64().unwrap_or_default();
        let beats = number(&layer["read_beats"]) + number(&layer["write_beats"]);
        let (macs, cycles) = (number(&run["macs"]), number(&layer["cycles"]));
        if macs == 0.0 || beats == 0.0 || cycles == 0.0 {
            continue;
        }
        let (intensity, speed) = (macs / (beats * card.beat_bytes() as f64), macs * HERTZ / cycles);
        let roof = engine.min(memory * intensity);
        let colour = COLOURS[index % COLOURS.len()];
        let (cx, cy) = (x(intensity), y(speed));
        let _ =
            writeln!(svg.0, "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"4\" fill=\"{colour}\"/>");
        let line = top + 14.0 * index as f64;
        let [shape, case, memory] =
            ["shape", "case", "memory"].map(|key| run[key].as_str().unwrap_or_default());
        let _ = writeln!(
            svg.0,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>",
            left + width + 16.0,
            line - 4.0
        );
        svg.0 += "<g font-size=\"9\">";
        let text = format!("{shape} {case} {memory}: {:.0} %", 100.0 * speed / roof);
        svg.text(left + width + 26.0, line, "start", &text);
        svg.0 += "</g>\n";
    }
    svg.write(folder, &format!("roofline-{}.svg", card.name))
}
