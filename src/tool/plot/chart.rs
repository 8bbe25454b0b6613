//! Draws series: a row for each joint, with its goal and position on the left and its error on the right, and the rate
//! below them.

use std::ops::Range;
use std::path::Path;

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea as _, LabelAreaPosition, PathElement,
    RGBColor, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, IntoTextStyle as _, ShapeStyle};

use super::series::{Joint, Line, RATE_OVER, Series};
use crate::tool::picture::{self, Format};

const GOAL: RGBColor = RGBColor(240, 150, 40);
const POSITION: RGBColor = RGBColor(30, 90, 170);
const ERROR: RGBColor = RGBColor(190, 40, 60);
const RATE: RGBColor = RGBColor(30, 130, 90);
const FAINT: RGBColor = RGBColor(110, 110, 110);

const MARGIN_PX: u32 = 24;
const TITLE_PX: u32 = 92;
const ROW_PX: u32 = 176;
const LEFT_PX: u32 = 880;
const RIGHT_PX: u32 = 560;
const LABELS_PX: u32 = 74;
const CAPTION_PX: u32 = 26;
/// The lowest row has the names of its axes.
const AXIS_PX: u32 = 30;
/// What is drawn of a line in each pixel is where it begins, its least and its greatest.
const PIXELS: usize = 800;

/// Draws into a file whose name ends in .svg or .png.
pub(super) fn draw(series: &Series, name: &str, file: &Path) -> anyhow::Result<()> {
    let format = picture::begin(file)?;
    let rows = u32::try_from(series.joints.len()).unwrap_or(u32::MAX).saturating_add(1);
    let size =
        (2 * MARGIN_PX + LEFT_PX + RIGHT_PX, TITLE_PX + rows.saturating_mul(ROW_PX) + AXIS_PX + MARGIN_PX);
    match format {
        Format::Svg => sheet(series, name, &SVGBackend::new(file, size).into_drawing_area()),
        Format::Png => sheet(series, name, &BitMapBackend::new(file, size).into_drawing_area()),
    }
}

fn sheet<B: DrawingBackend>(series: &Series, name: &str, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    title(series, name, area)?;
    let lines = series.joints.iter().flat_map(|joint| [&joint.goal, &joint.position, &joint.error]);
    let end = lines.chain([&series.rate]).flatten().map(|(at, _)| *at).fold(0.0, f64::max);
    let times = 0.0..if 0.0 < end { end } else { 1.0 };
    let mut top = TITLE_PX;
    for (index, joint) in series.joints.iter().enumerate() {
        let is_last = index + 1 == series.joints.len();
        let left = area.clone().shrink((MARGIN_PX, top), (LEFT_PX, ROW_PX));
        position_panel(joint, times.clone(), &left)?;
        let right = area
            .clone()
            .shrink((MARGIN_PX + LEFT_PX, top), (RIGHT_PX, ROW_PX + if is_last { AXIS_PX } else { 0 }));
        error_panel(joint, times.clone(), is_last, &right)?;
        top += ROW_PX;
    }
    let below = area.clone().shrink((MARGIN_PX, top), (LEFT_PX, ROW_PX + AXIS_PX));
    let values = range(&[&series.rate], 1.0, 5.0);
    // From nothing on: what varies by a thousandth is steady.
    let values = 0.0..values.end;
    let rate = Panel { caption: "joint_states".to_owned(), unit: "Hz", times, values, has_time: true };
    rate.draw(&[(&series.rate, 1.0, RATE.stroke_width(1))], &below)
}

fn position_panel<B: DrawingBackend>(
    joint: &Joint,
    times: Range<f64>,
    area: &DrawingArea<B, Shift>,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let least = if joint.slides { 0.001 } else { 0.02 };
    let values = range(&[&joint.goal, &joint.position], 1.0, least);
    let unit = if joint.slides { "m" } else { "rad" };
    let panel = Panel { caption: joint.name.clone(), unit, times, values, has_time: false };
    panel.draw(
        &[(&joint.goal, 1.0, GOAL.stroke_width(4)), (&joint.position, 1.0, POSITION.stroke_width(1))],
        area,
    )
}

fn error_panel<B: DrawingBackend>(
    joint: &Joint,
    times: Range<f64>,
    has_time: bool,
    area: &DrawingArea<B, Shift>,
) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let values = range(&[&joint.error], 1e3, 1.0);
    let unit = if joint.slides { "mm" } else { "mrad" };
    let most = joint.error.iter().map(|(_, error)| error.abs()).fold(0.0, f64::max);
    let caption = match joint.error.is_empty() {
        true => "no goal was told".to_owned(),
        false => format!("at most {:.1} {unit}", 1e3 * most),
    };
    let panel = Panel { caption, unit, times, values, has_time };
    panel.draw(&[(&joint.error, 1e3, ERROR.stroke_width(1))], area)
}

/// One pair of axes.
struct Panel {
    caption: String,
    unit: &'static str,
    times: Range<f64>,
    values: Range<f64>,
    has_time: bool,
}

impl Panel {
    /// Draws lines, each with its values times a factor.
    fn draw<B: DrawingBackend>(
        &self,
        lines: &[(&Line, f64, ShapeStyle)],
        area: &DrawingArea<B, Shift>,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let mut chart = ChartBuilder::on(area)
            .margin_top(CAPTION_PX)
            .margin_right(16)
            .set_label_area_size(LabelAreaPosition::Left, LABELS_PX)
            .set_label_area_size(LabelAreaPosition::Bottom, if self.has_time { 22 + AXIS_PX } else { 22 })
            .build_cartesian_2d(self.times.clone(), self.values.clone())?;
        let small = ("sans-serif", 13).into_font().color(&BLACK);
        let (long, tall) = (self.times.end - self.times.start, self.values.end - self.values.start);
        chart
            .configure_mesh()
            .bold_line_style(RGBColor(226, 226, 226))
            .light_line_style(WHITE)
            .axis_style(FAINT)
            .x_labels(10)
            .y_labels(5)
            .x_desc(if self.has_time { "time since the first joint state (s)" } else { "" })
            .y_desc(self.unit)
            .x_label_formatter(&|at| number(*at, long))
            .y_label_formatter(&|value| number(*value, tall))
            .label_style(small.clone())
            .axis_desc_style(("sans-serif", 14).into_font().color(&BLACK))
            .draw()?;
        for (line, factor, style) in lines {
            let points = thinned(line, self.times.end).into_iter().map(|(at, value)| (at, factor * value));
            chart.draw_series([PathElement::new(points.collect::<Vec<_>>(), *style)])?;
        }
        let left = i32::try_from(LABELS_PX).unwrap_or(0) + 8;
        area.draw(&Text::new(self.caption.clone(), (left, 6), ("sans-serif", 15).into_font().color(&BLACK)))?;
        Ok(())
    }
}

fn title<B: DrawingBackend>(series: &Series, name: &str, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let left = i32::try_from(MARGIN_PX).unwrap_or(0);
    area.draw(&Text::new(name.to_owned(), (left, 16), ("sans-serif", 26).into_text_style(area)))?;
    let states = series.joints.iter().map(|joint| joint.position.len()).max().unwrap_or(0);
    let words = format!(
        "{} joint(s), {states} joint states, the first stamped {:.3} s; rate over {RATE_OVER} states",
        series.joints.len(),
        series.began,
    );
    area.draw(&Text::new(words, (left, 54), ("sans-serif", 14).into_font().color(&FAINT)))?;
    let entries: [(&str, ShapeStyle); 4] = [
        ("goal", GOAL.stroke_width(4)),
        ("position", POSITION.stroke_width(2)),
        ("error = goal - position", ERROR.stroke_width(2)),
        ("rate", RATE.stroke_width(2)),
    ];
    let text = ("sans-serif", 15).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let mut x = i32::try_from(LEFT_PX).unwrap_or(0) + 30;
    for (words, style) in entries {
        area.draw(&PathElement::new([(x, 62), (x + 26, 62)], style))?;
        area.draw(&Text::new(words, (x + 32, 62), text.clone()))?;
        x += 32 + 7 * i32::try_from(words.len()).unwrap_or(0) + 16;
    }
    Ok(())
}

/// From the least to the greatest value and a little more; `least` at least.
fn range(lines: &[&Line], factor: f64, least: f64) -> Range<f64> {
    let values = || lines.iter().flat_map(|line| line.iter()).map(|(_, value)| factor * value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    if high < low {
        return -least..least;
    }
    let (middle, half) = (0.5 * (low + high), (0.5 * (high - low)).max(0.5 * least));
    middle - 1.12 * half..middle + 1.12 * half
}

/// As many decimals as differ over a range.
fn number(value: f64, range: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 6")]
    let decimals = (1.0 - range.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { "0".to_owned() } else { text }
}

/// A line that looks the same with fewer points: of each stretch of time the first, the least and the greatest.
fn thinned(line: &Line, end: f64) -> Line {
    if line.len() <= 4 * PIXELS {
        return line.clone();
    }
    let mut thin: Line = Vec::new();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "float casts saturate")]
    let stretch = |(at, _): &(f64, f64)| (at / end * PIXELS as f64) as usize;
    for points in line.chunk_by(|one, other| stretch(one) == stretch(other)) {
        let by = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        let mut kept: Vec<(f64, f64)> = points
            .iter()
            .take(1)
            .chain(points.iter().min_by(by))
            .chain(points.iter().max_by(by))
            .copied()
            .collect();
        kept.sort_by(|one, other| one.0.total_cmp(&other.0));
        kept.dedup();
        thin.extend(kept);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_line_keeps_its_extremes() {
        let line: Line =
            (0..100_000).map(|index| (f64::from(index) * 1e-3, f64::from(index % 1000))).collect();
        let thin = thinned(&line, 100.0);
        assert!(thin.len() <= 3 * (PIXELS + 1), "{}", thin.len());
        assert!(thin.iter().any(|(_, value)| *value == 999.0) && thin.iter().any(|(_, value)| *value == 0.0));
        assert!(thin.is_sorted_by(|one, other| one.0 <= other.0));
        assert_eq!(thinned(&line[..10].to_vec(), 100.0).len(), 10);
    }

    #[test]
    fn numbers_have_the_decimals_that_differ() {
        assert_eq!(number(0.5, 2.0), "0.5");
        assert_eq!(number(-0.04, 30.0), "0");
        assert_eq!(number(12.34, 0.2), "12.34");
        assert_eq!(number(150.0, 200.0), "150");
    }

    #[test]
    fn a_range_has_room_and_is_never_empty() {
        assert_eq!(range(&[&Vec::new()], 1.0, 0.5), -0.5..0.5);
        let flat = range(&[&vec![(0.0, 1.0), (1.0, 1.0)]], 1.0, 0.2);
        assert!(flat.start < 0.9 && 1.1 < flat.end);
    }
}
