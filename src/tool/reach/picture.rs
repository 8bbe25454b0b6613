//! Draws a survey: both cuts at one scale, the arm in them, and what the colours mean.

use std::path::Path;

use nalgebra::Vector3;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, BitMapBackend, Cartesian2d, Circle, ColorMap as _, DerivedColorMap, DrawingArea, DrawingBackend,
    EmptyElement, IntoDrawingArea as _, PathElement, RGBColor, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, IntoTextStyle as _};

use super::map::{Cut, DIRECTIONS, Survey};
use crate::tool::arm::Arm;
use crate::tool::picture::{self, Format};

/// From few to many directions; lightness alone tells them apart, too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(229, 245, 213),
    RGBColor(168, 221, 181),
    RGBColor(84, 186, 196),
    RGBColor(38, 130, 186),
    RGBColor(35, 79, 155),
    RGBColor(12, 28, 84),
];
const ARM: RGBColor = RGBColor(214, 84, 28);
const FAINT: RGBColor = RGBColor(110, 110, 110);

/// How long the longer side of a cut shall be, in pixels.
const SIDE_PX: f64 = 620.0;
const MARGIN_PX: u32 = 24;
const TITLE_PX: u32 = 84;
const CAPTION_PX: u32 = 34;
const LABELS_PX: u32 = 56;
const LEGEND_PX: u32 = 130;

type Panel<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws into a file whose name ends in .svg or .png.
pub(super) fn draw(arm: &Arm, survey: &Survey, file: &Path) -> anyhow::Result<()> {
    let format = picture::begin(file)?;
    let sheet = Sheet::of(survey);
    match format {
        Format::Svg => sheet.draw(arm, survey, &SVGBackend::new(file, sheet.size).into_drawing_area()),
        Format::Png => sheet.draw(arm, survey, &BitMapBackend::new(file, sheet.size).into_drawing_area()),
    }
}

/// How everything is laid out, in pixels.
struct Sheet {
    size: (u32, u32),
    cell: u32,
    /// The share from which on a cell has the last colour.
    most: f64,
    /// Whether there are greater ones.
    has_more: bool,
}

impl Sheet {
    fn of(survey: &Survey) -> Self {
        let cuts = [&survey.side, &survey.top];
        let longest = cuts.iter().flat_map(|cut| cut.count).max().unwrap_or(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 620")]
        let cell = (SIDE_PX / longest as f64).round().max(1.0) as u32;
        let mut sheet = Self { size: (0, 0), cell, most: 1.0, has_more: false };
        let panels = cuts.map(|cut| sheet.panel_size(cut));
        sheet.size.0 = 3 * MARGIN_PX + panels[0].0 + panels[1].0 + LEGEND_PX;
        sheet.size.1 = TITLE_PX + panels[0].1.max(panels[1].1) + MARGIN_PX;
        let mut shares: Vec<f64> = cuts.iter().flat_map(|cut| cut.shares()).map(|(_, share)| share).collect();
        shares.sort_by(f64::total_cmp);
        // A few cells with far more than all others, on the axis of the first joint, would fade those.
        sheet.most = shares.get(shares.len() * 98 / 100).copied().unwrap_or(sheet.most);
        sheet.has_more = shares.last().is_some_and(|&share| sheet.most < share);
        sheet
    }

    fn panel_size(&self, cut: &Cut) -> (u32, u32) {
        let [right, up] = cut.count.map(|count| u32::try_from(count).unwrap_or(u32::MAX) * self.cell);
        (right + LABELS_PX, up + LABELS_PX + CAPTION_PX)
    }

    fn draw<B: DrawingBackend>(
        &self,
        arm: &Arm,
        survey: &Survey,
        sheet: &DrawingArea<B, Shift>,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        sheet.fill(&WHITE)?;
        title(arm, survey, sheet)?;
        let (side, top) = (self.panel_size(&survey.side), self.panel_size(&survey.top));
        let lowest = TITLE_PX + side.1.max(top.1);
        let mut left = MARGIN_PX;
        for (cut, size, seen_from) in [(&survey.side, side, "the side"), (&survey.top, top, "above")] {
            let area = part(sheet, (left, lowest - size.1), size);
            self.panel(arm, cut, seen_from, &area)?;
            left += size.0 + MARGIN_PX;
        }
        let height = (side.1.max(top.1) - CAPTION_PX - LABELS_PX).min(360);
        self.legend(&part(sheet, (left, lowest - LABELS_PX - height), (LEGEND_PX, height)))
    }

    fn panel<B: DrawingBackend>(
        &self,
        arm: &Arm,
        cut: &Cut,
        seen_from: &str,
        area: &DrawingArea<B, Shift>,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let [right, up, across] = cut.axes.map(|axis| ["x", "y", "z"][axis]);
        let to = |axis: usize| cut.from[axis] + cut.count[axis] as f64 * cut.cell;
        let mut chart = ChartBuilder::on(area)
            .caption(
                format!("From {seen_from}, cut at {across} = {:.3} m", cut.at),
                ("sans-serif", 19).into_font().color(&BLACK),
            )
            .set_label_area_size(plotters::prelude::LabelAreaPosition::Left, LABELS_PX)
            .set_label_area_size(plotters::prelude::LabelAreaPosition::Bottom, LABELS_PX)
            .build_cartesian_2d(cut.from[0]..to(0), cut.from[1]..to(1))?;
        chart
            .configure_mesh()
            .bold_line_style(RGBColor(226, 226, 226))
            .light_line_style(WHITE)
            .axis_style(FAINT)
            .x_labels(8)
            .y_labels(8)
            .x_desc(format!("{right} (m)"))
            .y_desc(format!("{up} (m)"))
            .x_label_formatter(&|value| metres(*value))
            .y_label_formatter(&|value| metres(*value))
            .label_style(("sans-serif", 14).into_font().color(&BLACK))
            .axis_desc_style(("sans-serif", 16).into_font().color(&BLACK))
            .draw()?;
        self.cells(cut, &mut chart)?;
        skeleton(arm, cut, &mut chart)?;
        base(arm, &mut chart)
    }

    fn cells<B: DrawingBackend>(&self, cut: &Cut, chart: &mut Panel<B>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let colours = DerivedColorMap::new(&COLOURS);
        let edge = |index: usize, axis: usize| cut.from[axis] + index as f64 * cut.cell;
        chart.draw_series(cut.shares().map(|([column, row], share)| {
            let corners = [(edge(column, 0), edge(row, 1)), (edge(column + 1, 0), edge(row + 1, 1))];
            Rectangle::new(corners, colours.get_color((share / self.most).min(1.0)).filled())
        }))?;
        Ok(())
    }

    fn legend<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        const BAR: i32 = 22;
        let colours = DerivedColorMap::new(&COLOURS);
        let height = i32::try_from(area.dim_in_pixel().1).unwrap_or(i32::MAX);
        let (top, bottom) = (58, height - 1);
        let text = ("sans-serif", 14).into_font().color(&BLACK);
        for (line, words) in ["directions", "the tip can", "point in"].iter().enumerate() {
            area.draw(&Text::new(*words, (0, 17 * i32::try_from(line).unwrap_or(0)), text.clone()))?;
        }
        for y in top..bottom {
            let share = f64::from(bottom - y) / f64::from(bottom - top);
            area.draw(&Rectangle::new([(0, y), (BAR, y + 1)], colours.get_color(share).filled()))?;
        }
        area.draw(&Rectangle::new([(0, top), (BAR, bottom)], FAINT))?;
        let text = text.pos(Pos::new(HPos::Left, VPos::Center));
        for quarter in 0..=4 {
            let share = 0.25 * f64::from(quarter);
            let y = bottom - quarter * (bottom - top) / 4;
            area.draw(&PathElement::new([(BAR, y), (BAR + 5, y)], FAINT))?;
            let more = if quarter == 4 && self.has_more { "≥ " } else { "" };
            let words = format!("{more}{:.0} %", 100.0 * share * self.most);
            area.draw(&Text::new(words, (BAR + 9, y), text.clone()))?;
        }
        Ok(())
    }
}

fn title<B: DrawingBackend>(arm: &Arm, survey: &Survey, sheet: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let left = i32::try_from(MARGIN_PX).unwrap_or(0);
    let first = ("sans-serif", 27).into_text_style(sheet);
    sheet.draw(&Text::new(format!("Reach of {}", arm.name), (left, 16), first))?;
    let second = ("sans-serif", 15).into_font().color(&FAINT);
    let words = format!(
        "{} in {}, {} joints; cells of {:.1} mm, {} random positions, {DIRECTIONS} directions; no collisions",
        arm.tip,
        arm.base,
        arm.chain.dof(),
        1e3 * survey.side.cell,
        grouped(survey.samples),
    );
    sheet.draw(&Text::new(words, (left, 52), second))?;
    Ok(())
}

/// The arm in the middle of its ranges, as lines from frame to frame.
fn skeleton<B: DrawingBackend>(arm: &Arm, cut: &Cut, chart: &mut Panel<B>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let poses = arm.chain.frame_poses(&arm.middle());
    let places: Vec<_> = poses.iter().map(|pose| projected(cut, &pose.translation.vector)).collect();
    chart.draw_series([
        PathElement::new(places.clone(), WHITE.stroke_width(7)),
        PathElement::new(places.clone(), ARM.stroke_width(3)),
    ])?;
    chart.draw_series(places.iter().map(|&place| Circle::new(place, 4, ARM.filled())))?;
    Ok(())
}

fn base<B: DrawingBackend>(arm: &Arm, chart: &mut Panel<B>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    chart.draw_series([
        Circle::new((0.0, 0.0), 8, WHITE.filled()),
        Circle::new((0.0, 0.0), 6, BLACK.filled()),
    ])?;
    let style = ("sans-serif", 14).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Top));
    // White around the letters, so that they can be read on dark cells.
    let around = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)];
    let letters =
        around.map(|shift| (shift, style.color(&WHITE))).into_iter().chain([((0, 0), style.clone())]);
    chart.draw_series(letters.map(|((right, down), style)| {
        EmptyElement::at((0.0, 0.0)) + Text::new(arm.base.clone(), (right - 11, down + 4), style)
    }))?;
    Ok(())
}

fn projected(cut: &Cut, place: &Vector3<f64>) -> (f64, f64) {
    (place[cut.axes[0]], place[cut.axes[1]])
}

fn part<B: DrawingBackend>(
    sheet: &DrawingArea<B, Shift>,
    corner: (u32, u32),
    size: (u32, u32),
) -> DrawingArea<B, Shift> {
    sheet.clone().shrink(corner, size)
}

/// A length without a negative zero and without digits that say nothing.
fn metres(value: f64) -> String {
    let text = format!("{:.3}", value + 0.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
