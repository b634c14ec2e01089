//! The coordinates of a cluster as a picture: round trips as distances on paper.
//!
//! A space of eight dimensions with heights does not lie flat. The places on paper are chosen so that the distances between them
//! differ from the predicted round trips as little as they can, and the picture says by how much.
//!
//! # Source
//! J. de Leeuw, *Applications of convex analysis to multidimensional scaling*, 1977 (stress majorization).

use std::fmt::Write;

use quorate_runtime::api::dto::{MemberList, MemberView, VivaldiCoordinate};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 720.0;
const MARGIN: f64 = 90.0;
/// The top of the drawing, below the title.
const TOP: f64 = 84.0;
const LABEL_HEIGHT: f64 = 15.0;
/// The work of all steps together is bounded.
const MOST_WORK: usize = 40_000_000;
const MOST_STEPS: usize = 300;
const PAPER: &str = "#fffdf8";
const INK: &str = "#1f2a33";

/// Draws a list of members as SVG. The same list gives the same bytes. Members without a coordinate are named below.
pub fn draw(list: &MemberList) -> String {
    let placed: Vec<&MemberView> = list.members.iter().filter(|m| m.coordinate.is_some()).collect();
    let targets: Vec<Vec<f64>> =
        placed.iter().map(|a| placed.iter().map(|b| distance_ms(a, b)).collect()).collect();
    let points = flatten(&targets);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"{INK}\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{PAPER}\"/>\n\
         <text x=\"24\" y=\"34\" font-size=\"20\" font-weight=\"600\">The cluster as {} sees it</text>\n",
        escaped(&list.node_id)
    );
    let error = mean_error_ms(&targets, &points);
    let (count, all) = (placed.len(), list.members.len());
    let _ = writeln!(
        out,
        "<text x=\"24\" y=\"56\" fill=\"#5b6770\">{count} of {all} nodes · a distance is a predicted round trip, on average {error:.1} ms \
         off on paper</text>"
    );
    let scale = Scale::of(&points);
    legend(&mut out, scale.ms_per_pixel);
    let spots: Vec<(f64, f64)> = points.iter().map(|point| scale.at(*point)).collect();
    if let Some(me) = placed.iter().position(|member| member.is_self) {
        for (member, spot) in placed.iter().zip(&spots).filter(|(m, _)| !m.is_self && m.state != "DEAD") {
            let colour = colour(member.role.as_deref());
            let (x, y) = spots[me];
            let _ = writeln!(
                out,
                "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.25\"/>",
                spot.0, spot.1
            );
        }
    }
    for (member, (x, y)) in placed.iter().zip(&spots) {
        node(&mut out, member, *x, *y);
    }
    for ((member, spot), y) in placed.iter().zip(&spots).zip(label_heights(&spots)) {
        label(&mut out, member, *spot, y);
    }
    let nowhere = list.members.iter().filter(|m| m.coordinate.is_none()).map(|m| escaped(&m.node_id));
    let nowhere: Vec<String> = nowhere.collect();
    if !nowhere.is_empty() {
        let shown = nowhere.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let more = nowhere.len().saturating_sub(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let y = HEIGHT - 16.0;
        let _ = writeln!(
            out,
            "<text x=\"24\" y=\"{y}\" fill=\"#5b6770\">no place is known of {shown}{more}</text>"
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The round trip that two coordinates predict.
fn distance_ms(a: &MemberView, b: &MemberView) -> f64 {
    let (Some(a), Some(b)) = (&a.coordinate, &b.coordinate) else { return 0.0 };
    if std::ptr::eq(a, b) {
        return 0.0;
    }
    let squares = a.vec.iter().zip(&b.vec).map(|(a, b)| (a - b) * (a - b));
    let height = |c: &VivaldiCoordinate| c.height;
    (squares.sum::<f64>().sqrt() + height(a) + height(b)) * 1_000.0
}

/// Places on paper, in ms.
fn flatten(targets: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let n = targets.len();
    if n < 2 {
        return vec![(0.0, 0.0); n];
    }
    // Begin with the distances from two that are far apart, and a third one that says on which side the others lie; a little
    // aside each, so that nobody lies on another one.
    let farthest =
        |from: usize| (0..n).max_by(|a, b| targets[from][*a].total_cmp(&targets[from][*b])).unwrap_or(0);
    let first = farthest(0);
    let second = farthest(first);
    let span = targets[first][second].max(1e-6);
    let upright = |i: usize| {
        let (a, b) = (targets[first][i], targets[second][i]);
        let x = (a * a - b * b + span * span) / (2.0 * span);
        (x, (a * a - x * x).max(0.0).sqrt())
    };
    let third = (0..n).max_by(|a, b| upright(*a).1.total_cmp(&upright(*b).1)).unwrap_or(0);
    let (third_x, third_y) = upright(third);
    let aside = |i: usize| (i as f64 * 0.618_033_988_75).fract() - 0.5;
    let mut points: Vec<(f64, f64)> = (0..n)
        .map(|i| {
            let (x, y) = upright(i);
            let wrong = |y: f64| ((x - third_x).hypot(y - third_y) - targets[third][i]).abs();
            let y = if wrong(-y) < wrong(y) { -y } else { y };
            (x, y + 0.02 * span * aside(i))
        })
        .collect();
    for _ in 0..(MOST_WORK / (n * n)).clamp(10, MOST_STEPS) {
        // One after the other: then no step makes the whole fit worse.
        for i in 0..n {
            points[i] = moved(i, targets, &points);
        }
    }
    points
}

/// Where the others, as they lie, want this one: the average of what each wants.
fn moved(i: usize, targets: &[Vec<f64>], points: &[(f64, f64)]) -> (f64, f64) {
    let (mut x, mut y) = (0.0, 0.0);
    for (j, other) in points.iter().enumerate().filter(|(j, _)| *j != i) {
        let (dx, dy) = (points[i].0 - other.0, points[i].1 - other.1);
        let apart = dx.hypot(dy);
        let part = if apart > 1e-9 { targets[i][j] / apart } else { 0.0 };
        x += other.0 + dx * part;
        y += other.1 + dy * part;
    }
    let others = (points.len() - 1) as f64;
    (x / others, y / others)
}

fn mean_error_ms(targets: &[Vec<f64>], points: &[(f64, f64)]) -> f64 {
    let mut sum = 0.0;
    let mut pairs = 0_u32;
    for (i, a) in points.iter().enumerate() {
        for (j, b) in points.iter().enumerate().skip(i + 1) {
            sum += ((a.0 - b.0).hypot(a.1 - b.1) - targets[i][j]).abs();
            pairs += 1;
        }
    }
    if pairs == 0 { 0.0 } else { sum / f64::from(pairs) }
}

/// How points in ms lie on the paper.
struct Scale {
    middle: (f64, f64),
    ms_per_pixel: f64,
}

impl Scale {
    fn of(points: &[(f64, f64)]) -> Self {
        let bounds = |of: fn(&(f64, f64)) -> f64| {
            let low = points.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            if low <= high { (low, high) } else { (0.0, 0.0) }
        };
        let ((left, right), (low, high)) = (bounds(|p| p.0), bounds(|p| p.1));
        let across = (right - left) / (WIDTH - 2.0 * MARGIN);
        let up = (high - low) / (HEIGHT - TOP - 2.0 * MARGIN);
        let middle = (f64::midpoint(left, right), f64::midpoint(low, high));
        Scale { middle, ms_per_pixel: across.max(up).max(1e-4) }
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let x = WIDTH / 2.0 + (x - self.middle.0) / self.ms_per_pixel;
        let y = f64::midpoint(TOP, HEIGHT) + (y - self.middle.1) / self.ms_per_pixel;
        (x, y)
    }
}

fn colour(role: Option<&str>) -> &'static str {
    match role {
        Some("gate") => "#c2410c",
        Some("manager") => "#1d4ed8",
        Some("worker") => "#15803d",
        _ => "#6b7280",
    }
}

fn legend(out: &mut String, ms_per_pixel: f64) {
    for (at, role) in ["gate", "manager", "worker", "unknown"].into_iter().enumerate() {
        let (x, colour) = (WIDTH - 400.0 + at as f64 * 95.0, colour(Some(role)));
        let _ = writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"30\" r=\"6\" fill=\"{colour}\"/><text x=\"{}\" y=\"34\">{role}</text>",
            x + 11.0
        );
    }
    let (x, y) = (WIDTH - 400.0, 52.0);
    let _ = writeln!(
        out,
        "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"{PAPER}\" stroke=\"{INK}\" stroke-dasharray=\"3 2\"/>\
         <text x=\"{}\" y=\"{}\">SUSPECT or UNCONFIRMED</text>\
         <circle cx=\"{}\" cy=\"{y}\" r=\"6\" fill=\"none\" stroke=\"#9ca3af\"/><text x=\"{}\" y=\"{}\">DEAD</text>",
        x + 11.0,
        y + 4.0,
        x + 190.0,
        x + 201.0,
        y + 4.0
    );
    // The longest of 1, 2 and 5 times a power of ten that is not too long.
    let most = 160.0 * ms_per_pixel;
    let power = 10_f64.powf(most.log10().floor());
    let bar = [5.0, 2.0, 1.0].into_iter().map(|n| n * power).find(|ms| *ms <= most).unwrap_or(power);
    let (right, y) = (WIDTH - 30.0, HEIGHT - 24.0);
    let left = right - bar / ms_per_pixel;
    let _ = writeln!(
        out,
        "<path d=\"M{left:.1} {} V{y} H{right} V{}\" fill=\"none\" stroke=\"{INK}\"/>\
         <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{} ms</text>",
        y - 5.0,
        y - 5.0,
        f64::midpoint(left, right),
        y - 8.0,
        short(bar)
    );
}

fn short(ms: f64) -> String {
    if ms >= 1.0 { format!("{ms:.0}") } else { format!("{ms:.4}").trim_end_matches('0').to_owned() }
}

fn node(out: &mut String, member: &MemberView, x: f64, y: f64) {
    let colour = colour(member.role.as_deref());
    let (radius, style) = match member.state.as_str() {
        "OK" if member.is_self => (9.0, format!("fill=\"{colour}\" stroke=\"{INK}\" stroke-width=\"2\"")),
        "OK" => (6.5, format!("fill=\"{colour}\"")),
        "DEAD" => (6.5, "fill=\"none\" stroke=\"#9ca3af\"".to_owned()),
        _ => (6.5, format!("fill=\"{PAPER}\" stroke=\"{colour}\" stroke-dasharray=\"3 2\"")),
    };
    let title = format!(
        "{} · {} · {} · {}",
        member.node_id,
        member.role.as_deref().unwrap_or("unknown role"),
        member.datacenter.as_deref().unwrap_or("unknown datacenter"),
        member.state
    );
    let _ = writeln!(
        out,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" {style}><title>{}</title></circle>",
        escaped(&title)
    );
}

/// Heights of the labels: beside their points, but none over another one.
fn label_heights(spots: &[(f64, f64)]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..spots.len()).collect();
    order.sort_by(|a, b| spots[*a].1.total_cmp(&spots[*b].1).then(spots[*a].0.total_cmp(&spots[*b].0)));
    let mut heights: Vec<f64> = spots.iter().map(|spot| spot.1).collect();
    let mut done: Vec<usize> = Vec::new();
    for at in order {
        let near = |other: &&usize| (spots[**other].0 - spots[at].0).abs() < 190.0;
        let below = done.iter().filter(near).map(|other| heights[*other] + LABEL_HEIGHT);
        heights[at] = below.fold(heights[at], f64::max).min(HEIGHT - 44.0);
        done.push(at);
    }
    heights
}

fn label(out: &mut String, member: &MemberView, (x, y): (f64, f64), height: f64) {
    let far = match member.rtt_ms {
        Some(rtt) => format!(" · {rtt:.1} ms"),
        None if member.is_self => " · here".to_owned(),
        None => String::new(),
    };
    let is_right = x > WIDTH - 200.0;
    let (text_x, anchor) = if is_right { (x - 14.0, "end") } else { (x + 14.0, "start") };
    if (height - y).abs() > LABEL_HEIGHT {
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{text_x:.1}\" y2=\"{height:.1}\" stroke=\"#9ca3af\" stroke-width=\"0.5\"/>"
        );
    }
    let name: String = member.node_id.chars().take(24).collect();
    let _ = writeln!(
        out,
        "<text x=\"{text_x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}{far}</text>",
        height + 4.0,
        escaped(&name)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use quorate_core::kernel::time::Timestamp;

    use super::*;

    fn member(name: &str, vec: [f64; 3], is_self: bool) -> MemberView {
        MemberView {
            node_id: name.to_owned(),
            role: Some("gate".to_owned()),
            datacenter: None,
            state: "OK".to_owned(),
            incarnation: 1,
            rtt_ms: None,
            rtt_upper_ms: None,
            quality: 1.0,
            address: "127.0.0.1:1".to_owned(),
            since: Timestamp::EPOCH,
            seen_at: None,
            is_self,
            coordinate: Some(VivaldiCoordinate {
                vec: vec.to_vec(),
                height: 0.0,
                adjustment: 0.0,
                error: 0.1,
                error_ms: 1.0,
                sample_count: 20,
            }),
        }
    }

    #[test]
    fn what_lies_flat_is_drawn_as_it_lies() {
        let corners = [[0.0, 0.0, 0.0], [0.03, 0.0, 0.0], [0.03, 0.0, 0.04], [0.0, 0.0, 0.04]];
        let members: Vec<MemberView> = corners.iter().map(|at| member("m", *at, false)).collect();
        let targets: Vec<Vec<f64>> =
            members.iter().map(|a| members.iter().map(|b| distance_ms(a, b)).collect()).collect();
        let points = flatten(&targets);
        assert!(mean_error_ms(&targets, &points) < 0.5, "{points:?}");
    }

    #[test]
    fn a_picture_names_everybody_and_no_name_breaks_it() {
        let mut lost = member("lost", [0.0; 3], false);
        lost.coordinate = None;
        let members = vec![member("<a&b>", [0.0; 3], true), member("c", [0.05, 0.0, 0.0], false), lost];
        let list = MemberList { node_id: "<a&b>".to_owned(), members, name_conflicts: Vec::new() };
        let picture = draw(&list);
        assert_eq!(picture, draw(&list));
        assert!(picture.contains("&lt;a&amp;b&gt;") && !picture.contains("<a&"));
        assert!(picture.contains("no place is known of lost"));
        assert!(picture.contains("50 ms") || picture.contains("20 ms") || picture.contains("10 ms"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        for members in [Vec::new(), vec![member("one", [0.0; 3], true)]] {
            let picture =
                draw(&MemberList { node_id: "one".to_owned(), members, name_conflicts: Vec::new() });
            assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        }
    }
}
