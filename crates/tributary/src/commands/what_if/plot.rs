//! The reports side by side, drawn: who waited over time, and the service level by the hour. SVG written by hand: two
//! panels of lines need no library.

use std::fmt::Write as _;

use domain::Timestamp;

use super::report::{HOUR, Period, Report};

const WIDTH: f64 = 960.0;
const PANEL: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BETWEEN: f64 = 72.0;
/// Points of a curve: about one for two pixels.
const POINTS: usize = 436;
/// Told apart also by those who see colours otherwise (Okabe and Ito).
const COLOURS: [&str; 3] = ["#555555", "#0072B2", "#D55E00"];
const DASHES: [&str; 3] = ["2 3", "none", "none"];

/// One curve: its name, and what came of the period.
pub struct Curve<'a> {
    pub name: &'a str,
    pub report: &'a Report,
}

pub fn svg(curves: &[Curve], period: Period) -> String {
    let height = TOP + 2.0 * PANEL + BETWEEN + 48.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>What if: {}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(&curves.iter().map(|curve| curve.name).collect::<Vec<_>>().join(", "))
    );
    legend(&mut svg, curves);
    let waiting: Vec<Vec<f64>> = curves
        .iter()
        .map(|curve| curve.report.waiting(POINTS).into_iter().map(f64::from).collect())
        .collect();
    let most = waiting.iter().flatten().copied().fold(1.0, f64::max);
    let step = nice(most / 4.0);
    let upper = Panel { top: TOP, most: (most / step).ceil() * step, step, percent: false, period };
    upper.frame(&mut svg, "waiting for a person");
    for (number, values) in waiting.iter().enumerate() {
        let at = |point: usize| LEFT + upper.width() * point as f64 / POINTS as f64;
        let stairs = values
            .iter()
            .enumerate()
            .flat_map(|(point, value)| [(at(point), *value), (at(point + 1), *value)]);
        upper.line(&mut svg, number, &stairs.collect::<Vec<_>>());
    }
    let top = TOP + PANEL + BETWEEN;
    let lower = Panel { top, most: 100.0, step: 25.0, percent: true, period };
    lower.frame(&mut svg, "answered in time, by the hour");
    for (number, curve) in curves.iter().enumerate() {
        for stretch in stretches(curve.report) {
            let points: Vec<_> = stretch.iter().map(|(at, share)| (lower.x(*at), share * 100.0)).collect();
            lower.line(&mut svg, number, &points);
            for (x, value) in points {
                let (y, colour) = (lower.y(value), colour(number));
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The service level in the middle of each hour, cut where there is none.
fn stretches(report: &Report) -> Vec<Vec<(Timestamp, f64)>> {
    let Period { from, to } = report.period();
    let mut stretches = vec![Vec::new()];
    for hour in from.0.div_euclid(HOUR)..=to.0.div_euclid(HOUR) {
        match report.hours.get(&hour).and_then(|tally| tally.service_level(0)) {
            Some(share) => {
                let middle = (hour * HOUR + HOUR / 2).clamp(from.0, to.0);
                if let Some(stretch) = stretches.last_mut() {
                    stretch.push((Timestamp(middle), share));
                }
            }
            None if stretches.last().is_some_and(|stretch| !stretch.is_empty()) => stretches.push(Vec::new()),
            None => {}
        }
    }
    stretches.retain(|stretch| !stretch.is_empty());
    stretches
}

struct Panel {
    top: f64,
    /// What the upper edge stands for.
    most: f64,
    step: f64,
    percent: bool,
    period: Period,
}

impl Panel {
    fn width(&self) -> f64 {
        WIDTH - LEFT - RIGHT
    }

    fn x(&self, at: Timestamp) -> f64 {
        let length = (self.period.to.0 - self.period.from.0).max(1) as f64;
        LEFT + self.width() * ((at.0 - self.period.from.0) as f64 / length).clamp(0.0, 1.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + PANEL * (1.0 - value / self.most)
    }

    fn frame(&self, svg: &mut String, title: &str) {
        let (right, bottom) = (WIDTH - RIGHT, self.top + PANEL);
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>",
            self.top - 10.0
        );
        let mut value = 0.0;
        while value <= self.most + self.step / 2.0 {
            let y = self.y(value);
            let unit = if self.percent { " %" } else { "" };
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}{unit}</text>",
                LEFT - 8.0,
                y + 4.0
            );
            value += self.step;
        }
        for (at, text) in times(self.period) {
            let x = self.x(at);
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {bottom}v5\" stroke=\"#888888\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 18.0
            );
        }
    }

    fn line(&self, svg: &mut String, number: usize, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (index, (x, value)) in points.iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, self.y(*value));
        }
        let dash = DASHES.get(number).copied().unwrap_or("none");
        let colour = colour(number);
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-dasharray=\"{dash}\"/>"
        );
    }
}

fn colour(number: usize) -> &'static str {
    COLOURS.get(number).copied().unwrap_or("black")
}

fn legend(svg: &mut String, curves: &[Curve]) {
    for (number, curve) in curves.iter().enumerate() {
        let x = LEFT + 240.0 * number as f64;
        let (dash, colour) = (DASHES.get(number).copied().unwrap_or("none"), colour(number));
        let _ = writeln!(
            svg,
            "<path d=\"M{x} 20h28\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dash}\"/>\
             <text x=\"{}\" y=\"24\">{}</text>",
            x + 36.0,
            escaped(curve.name)
        );
    }
}

/// The next of 1, 2, 5, 10, 20, … that is not less.
fn nice(value: f64) -> f64 {
    let mut unit = 1.0;
    loop {
        for factor in [1.0, 2.0, 5.0] {
            if unit * factor >= value {
                return unit * factor;
            }
        }
        unit *= 10.0;
    }
}

/// Where times are written, in UTC: about eight, at round hours or days.
fn times(period: Period) -> Vec<(Timestamp, String)> {
    const MINUTE: i64 = HOUR / 60;
    let length = period.to.0 - period.from.0;
    let steps =
        [5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];
    let days = |days: i64| days * 24 * HOUR;
    let step = steps.into_iter().chain([days(2), days(7), days(28), days(91), days(364)]);
    let step = step.into_iter().find(|step| length / step <= 8).unwrap_or(days(3_640));
    let first = period.from.0.div_euclid(step) + i64::from(period.from.0.rem_euclid(step) != 0);
    let last = period.to.0.div_euclid(step);
    let text = |at: i64| {
        let whole_days = step >= 24 * HOUR;
        jiff::Timestamp::from_millisecond(at).map_or_else(
            |_| String::new(),
            |at| at.strftime(if whole_days { "%Y-%m-%d" } else { "%m-%d %H:%M" }).to_string(),
        )
    };
    (first..=last).map(|number| (Timestamp(number * step), text(number * step))).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use projections::statistics::{Course, Measure, Promise};

    use super::*;

    #[test]
    fn a_plot_has_every_curve_and_holds_what_names_may() {
        let period = Period { from: Timestamp(0), to: Timestamp(5 * HOUR) };
        let mut report = Report::new(period);
        let queue: domain::QueueId = "acme/desk/all".parse().unwrap();
        for hour in [0, 1, 3] {
            let (agent, waited) = ("acme/desk/ann".parse().unwrap(), domain::Millis(1_000));
            report.note(Timestamp(hour * HOUR), Measure::Came { queue: queue.clone() });
            let answered = Measure::Answered { queue: queue.clone(), agent, waited, promise: Promise::Kept };
            report.note(Timestamp(hour * HOUR + 1_000), answered);
        }
        let report = report.finish(Course::default());
        let hours: Vec<_> = stretches(&report).iter().map(Vec::len).collect();
        assert_eq!(hours, [2, 1], "nobody came in the third hour");
        let curve = |name| Curve { name, report: &report };
        let svg = svg(&[curve("actual"), curve("as it was"), curve("a<b>&c.toml")], period);
        assert!(svg.contains("a&lt;b&gt;&amp;c.toml") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 9);
        assert_eq!(svg.matches("fill=\"none\"").count(), 3 + 3 * 2);
        assert!(svg.contains("01-01 03:00") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn an_empty_period_is_drawn_too() {
        let period = Period { from: Timestamp(7), to: Timestamp(7) };
        let report = Report::new(period).finish(Course::default());
        let svg = svg(&[Curve { name: "actual", report: &report }], period);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([0.2, 1.0, 1.1, 3.0, 26.0, 501.0].map(nice), [1.0, 1.0, 2.0, 5.0, 50.0, 1_000.0]);
        let labels = |hours| times(Period { from: Timestamp(1), to: Timestamp(hours * HOUR) }).len();
        assert!([1, 5, 24, 100, 1_000, 20_000].map(labels).iter().all(|count| (1..=12).contains(count)));
    }
}
