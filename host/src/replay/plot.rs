//! A replay as a picture: which share of requests and tokens came within which time.

use super::client::Outcome;
use crate::Error;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 380);
/// Most points of a curve.
const POINTS: usize = 400;

/// Writes two curves as SVG: time to the first token, time between tokens.
pub fn plot(path: &Path, title: &str, outcomes: &[Outcome]) -> Result<(), Error> {
    let mut svg = String::new();
    let first = outcomes.iter().filter_map(|outcome| outcome.first_s).collect();
    let between = outcomes.iter().flat_map(|outcome| outcome.gaps_s.iter().copied()).collect();
    draw(&mut svg, title, first, between)
        .map_err(|e| Error::Input(format!("cannot draw the plot: {e}")))?;
    std::fs::write(path, svg).map_err(|source| Error::Write { path: path.into(), source })
}

fn draw<'a>(
    svg: &'a mut String,
    title: &str,
    first: Vec<f64>,
    between: Vec<f64>,
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.titled(title, ("sans-serif", 16))?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    curve(&left, "time to the first token, ms", first)?;
    curve(&right, "time between tokens, ms", between)?;
    area.present()?;
    Ok(())
}

/// The share of values (%) that are at most so large, on a logarithmic axis.
fn curve<'a>(
    area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    what: &str,
    seconds: Vec<f64>,
) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let mut values: Vec<f64> = seconds.iter().map(|s| (s * 1e3).max(1e-3)).collect();
    values.sort_by(f64::total_cmp);
    let (Some(&least), Some(&most)) = (values.first(), values.last()) else { return Ok(()) };
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(44)
        .build_cartesian_2d((least / 1.2..most * 1.2).log_scale(), 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc(what)
        .y_desc("share at most, %")
        .x_labels(6)
        .y_labels(6)
        .draw()?;
    let (count, step) = (values.len(), values.len().div_ceil(POINTS));
    let points = (0..count).rev().step_by(step);
    let points = points.map(|i| (values[i], 100.0 * (i + 1) as f64 / count as f64));
    chart.draw_series(LineSeries::new(points, RGBColor(23, 98, 74).stroke_width(2)))?;
    Ok(())
}
