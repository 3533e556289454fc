//! Lines over logarithmic axes, as SVG that is readable on a light and on a dark page.

use std::fmt::Write as _;

/// A program's cost at several sizes.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Panel {
    pub(crate) title: String,
    /// What the axes show.
    pub(crate) across: String,
    pub(crate) up: String,
    pub(crate) lines: Vec<Line>,
}

/// The panels side by side.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let width = WIDE * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HIGH}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<title>Cost against packets and flows</title>\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{HIGH}\"/>\n"
    );
    // A program has one colour in all panels.
    let mut programs: Vec<&str> = Vec::new();
    for line in panels.iter().flat_map(|panel| &panel.lines) {
        if !programs.contains(&line.name.as_str()) {
            programs.push(&line.name);
        }
    }
    for (number, panel) in panels.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<g transform=\"translate({},0)\">",
            WIDE * number as f64
        );
        panel.draw(&mut svg, &programs);
        svg.push_str("</g>\n");
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, svg: &mut String, programs: &[&str]) {
        let colour = |line: &Line| {
            let place = programs.iter().position(|name| *name == line.name);
            place.unwrap_or_default() % COLOURS
        };
        let of = |what: fn(&(f64, f64)) -> f64| {
            let points = self.lines.iter().flat_map(|line| &line.points);
            Axis::over(points.map(what).filter(|value| *value > 0.0))
        };
        let (across, up) = (of(|point| point.0), of(|point| point.1));
        let (right, bottom) = (WIDE - RIGHT, HIGH - BOTTOM);
        let x = |value: f64| LEFT + across.part(value) * (right - LEFT);
        let y = |value: f64| bottom - up.part(value) * (bottom - TOP);
        text(svg, (LEFT, 22.0), "title", "start", &self.title);
        for tick in up.ticks() {
            let at = y(tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT:.1} {at:.1}H{right:.1}\"/>"
            );
            text(svg, (LEFT - 8.0, at + 4.0), "ink", "end", &short(tick));
        }
        for tick in across.ticks() {
            let at = x(tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP:.1}V{bottom:.1}\"/>"
            );
            text(svg, (at, bottom + 18.0), "ink", "middle", &short(tick));
        }
        text(
            svg,
            (f64::midpoint(LEFT, right), bottom + 38.0),
            "ink",
            "middle",
            &self.across,
        );
        text(svg, (LEFT, 40.0), "ink", "start", &self.up);
        let mut names: Vec<(f64, usize)> = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let mut path = String::new();
            for (place, (at, cost)) in line.points.iter().enumerate() {
                let verb = if place == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{verb}{:.1} {:.1}", x(*at), y(*cost));
            }
            let class = colour(line);
            let _ = writeln!(svg, "<path class=\"line c{class}\" d=\"{path}\"/>");
            for (at, cost) in &line.points {
                let _ = writeln!(
                    svg,
                    "<circle class=\"dot c{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>{}: {} at {}</title></circle>",
                    x(*at),
                    y(*cost),
                    escaped(&line.name),
                    short(*cost),
                    short(*at)
                );
            }
            if let Some((_, cost)) = line.points.last() {
                names.push((y(*cost), number));
            }
        }
        // Names stand beside the ends of their lines, and make room for each other.
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut lowest = TOP - 15.0;
        for (at, number) in names {
            lowest = at.max(lowest + 15.0);
            let line = &self.lines[number];
            let class = colour(line);
            let _ = writeln!(
                svg,
                "<circle class=\"dot c{class}\" cx=\"{:.1}\" cy=\"{lowest:.1}\" r=\"3.5\"/>",
                right + 14.0
            );
            text(
                svg,
                (right + 22.0, lowest + 4.0),
                "ink",
                "start",
                &line.name,
            );
        }
    }
}

/// A logarithmic axis.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Self {
                low: 1.0,
                high: 10.0,
            };
        }
        Self {
            low: low / 1.3,
            high: high * 1.3,
        }
    }

    fn part(&self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Powers of ten, with 2 and 5 times each where there are few.
    fn ticks(&self) -> Vec<f64> {
        let wanted: &[f64] = if self.high / self.low > 100.0 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        (-9..13)
            .flat_map(|power| wanted.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|tick| (self.low..=self.high).contains(tick))
            .collect()
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// 1200000 as 1.2 M.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, " M"),
        1e3.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match value {
        100.0.. => 0,
        1.0.. => 1,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
}

const WIDE: f64 = 560.0;
const HIGH: f64 = 400.0;
const LEFT: f64 = 60.0;
/// Room for the names of the lines.
const RIGHT: f64 = 190.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 56.0;
const COLOURS: usize = 8;
/// The colours keep apart for eyes that see red and green alike, on both grounds.
const STYLE: &str = "\
.page{fill:#fff}.ink{fill:#3d434b}.title{fill:#14171a;font-size:14px;font-weight:600}.grid{stroke:#e1e4e8;fill:none}\
.line{fill:none;stroke-width:2}.line.c0{stroke:#0072b2}.line.c1{stroke:#56a0d3}.line.c2{stroke:#8a8f98}.line.c3{stroke:#d55e00}\
.line.c4{stroke:#e69f00}.line.c5{stroke:#009e73}.line.c6{stroke:#cc79a7}.line.c7{stroke:#5d6670}\
.dot.c0{fill:#0072b2}.dot.c1{fill:#56a0d3}.dot.c2{fill:#8a8f98}.dot.c3{fill:#d55e00}.dot.c4{fill:#e69f00}.dot.c5{fill:#009e73}\
.dot.c6{fill:#cc79a7}.dot.c7{fill:#5d6670}\
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#b1bac4}.title{fill:#f0f6fc}.grid{stroke:#2b323b}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_drawn_inside_the_panel_and_named() {
        let panel = Panel {
            title: "a < b".to_owned(),
            across: "packets".to_owned(),
            up: "seconds".to_owned(),
            lines: ["one", "other"]
                .map(|name| Line {
                    name: name.to_owned(),
                    points: vec![(1e3, 0.1), (1e6, 50.0)],
                })
                .into(),
        };
        let svg = draw(&[panel]);
        assert_eq!(svg.matches("class=\"line ").count(), 2);
        assert!(svg.contains(">one</text>") && svg.contains(">other</text>"));
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN"));
        for part in svg.split("cx=\"").skip(1) {
            let at: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!((LEFT..WIDE).contains(&at), "{at}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(1_200_000.0), "1.2 M");
        assert_eq!(short(100_000.0), "100 k");
        assert_eq!(short(20.0), "20");
        assert_eq!(short(0.05), "0.05");
    }
}
