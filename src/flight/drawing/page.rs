//! The drawing's geometry, colours and text.

use std::fmt::Write;

use super::{Drawing, Mark, MarkKind, thinned};
use crate::call::event::{EchoVerdict, FloorState};
use crate::time::SessionTime;

const WIDTH: f32 = 1_200.0;
const LEFT: f32 = 84.0;
const RIGHT: f32 = 1_176.0;
/// A level at or below this is drawn as nothing.
const QUIET_DBFS: f32 = -60.0;

/// Where the rows lie: top and height.
const FLOOR: (f32, f32) = (64.0, 30.0);
const USER: (f32, f32) = (106.0, 84.0);
const VOICE: (f32, f32) = (200.0, 54.0);
const ECHO: (f32, f32) = (264.0, 14.0);
const AGENT: (f32, f32) = (288.0, 84.0);
const EVENTS: (f32, f32) = (384.0, 76.0);
const AXIS: f32 = 472.0;
const LEGEND: f32 = 522.0;
const HEIGHT: f32 = 548.0;
/// Labels of events share so many lines.
const LABEL_LINES: usize = 4;
/// A character of a label, about, in pixels.
const LABEL_CHAR: f32 = 6.1;

/// Light and dark are the same drawing with other variables.
const STYLE: &str = "
svg { --card:#ffffff; --line:#d8dee6; --text:#1f2733; --faint:#5d6a7a; --user:#1f7ae0; --agent:#7a4fd0;
  --voice:#0f9d8a; --idle:#e9edf2; --thinking:#f4d47c; --settling:#bcd9fb; --yielding:#f2a7a0;
  --contested:#f6bd8b; --on:#ffffff; --bad:#d5382f; --warn:#e08a1e; --good:#2b9a4b; }
@media (prefers-color-scheme: dark) {
  svg { --card:#141a22; --line:#2d3744; --text:#e6ebf2; --faint:#98a5b5; --user:#5ea6ff; --agent:#b28dff;
    --voice:#3ccfb8; --idle:#232c37; --thinking:#8a6d1c; --settling:#264a75; --yielding:#8a3a34;
    --contested:#8f5520; --bad:#ff6b62; --warn:#ffb04d; --good:#58cf7c; --on:#10151c; }
}
text { font: 11px system-ui, 'DejaVu Sans', sans-serif; fill: var(--text); }
.title { font-size: 15px; font-weight: 600; } .faint { fill: var(--faint); } .row { font-weight: 600; }
.card { fill: var(--card); stroke: var(--line); } .grid { stroke: var(--line); stroke-width: 1; }
.idle { fill: var(--idle); } .user { fill: var(--user); } .agent { fill: var(--agent); }
.settling { fill: var(--settling); } .thinking { fill: var(--thinking); }
.contested { fill: var(--contested); } .yielding { fill: var(--yielding); }
.on-dark { fill: var(--on); } .voice { fill: var(--voice); fill-opacity: .22; stroke: var(--voice); }
.likely { fill: var(--warn); } .certain { fill: var(--bad); }
.turn { --mark: var(--user); } .doubt { --mark: var(--warn); } .cut { --mark: var(--bad); }
.dismissed { --mark: var(--good); } .end { --mark: var(--faint); }
.mark { stroke: var(--mark); stroke-width: 1.2; stroke-dasharray: 2 3; } .dot { fill: var(--mark); }
";

pub(super) fn write(drawing: &Drawing) -> String {
    let mut page = Page { svg: String::new(), drawing };
    page.head();
    page.axis();
    page.floors();
    page.user();
    page.echo();
    page.agent();
    page.marks();
    page.legend();
    page.svg.push_str("</svg>\n");
    page.svg
}

struct Page<'a> {
    svg: String,
    drawing: &'a Drawing,
}

impl Page<'_> {
    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(element).expect("writing to a string cannot fail");
        self.svg.push('\n');
    }

    fn text(&mut self, class: &str, x: f32, y: f32, text: &str) {
        let text = escaped(text);
        self.put(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#));
    }

    fn x(&self, at: SessionTime) -> f32 {
        let whole = self.drawing.end().since(self.drawing.from).as_secs_f64();
        let share = at.since(self.drawing.from).as_secs_f64() / whole;
        LEFT + (RIGHT - LEFT) * share.clamp(0.0, 1.0) as f32
    }

    fn head(&mut self) {
        let title = escaped(&self.drawing.title);
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             role=\"img\" aria-label=\"{title}\"><style>{STYLE}</style>\
             <rect class=\"card\" x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"10\"/>",
            WIDTH - 1.0,
            HEIGHT - 1.0
        ));
        self.text("title", 24.0, 34.0, &self.drawing.title);
        let rows = [("floor", FLOOR), ("user", USER), ("voice", VOICE), ("echo", ECHO)];
        for (name, (top, height)) in rows.into_iter().chain([("agent", AGENT), ("events", EVENTS)])
        {
            self.text("row", 24.0, top + height / 2.0 + 4.0, name);
        }
    }

    /// Time, at round steps of which there are about ten.
    fn axis(&mut self) {
        let seconds = self.drawing.end().since(self.drawing.from).as_secs_f64();
        let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0];
        let step = steps.into_iter().find(|step| seconds / step <= 14.0).unwrap_or(7_200.0);
        let from = self.drawing.from.as_micros() as f64 / 1e6;
        let mut tick = (from / step).ceil() * step;
        while tick <= from + seconds {
            let x = self.x(SessionTime::from_micros((tick * 1e6) as u64));
            let top = FLOOR.0;
            self.put(format_args!(
                r#"<path class="grid" d="M{x:.1} {top:.1}V{AXIS:.1}" fill="none"/>"#
            ));
            let shown = if step < 1.0 {
                format!("{tick:.1} s")
            } else if tick < 120.0 {
                format!("{tick:.0} s")
            } else {
                format!("{}:{:02}", tick as u64 / 60, tick as u64 % 60)
            };
            self.text("faint", x + 3.0, AXIS + 12.0, &shown);
            tick += step;
        }
        self.put(format_args!(r#"<path class="grid" d="M{LEFT} {AXIS}H{RIGHT}" fill="none"/>"#));
    }

    fn floors(&mut self) {
        let floors = &self.drawing.floors;
        for (index, (at, state)) in floors.iter().enumerate() {
            let until = floors.get(index + 1).map_or(self.drawing.end(), |(until, _)| *until);
            let (x, end) = (self.x(*at), self.x(until));
            let (name, (top, height)) = (state.name(), FLOOR);
            let width = (end - x).max(0.6);
            self.put(format_args!(
                "<rect class=\"{name}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>{name} from {at}</title></rect>"
            ));
            if width > name.len() as f32 * LABEL_CHAR + 8.0 {
                let on_dark = matches!(state, FloorState::User | FloorState::Agent);
                let class = if on_dark { "on-dark" } else { "" };
                self.text(class, x + 5.0, top + 19.0, name);
            }
        }
    }

    fn user(&mut self) {
        let points = &self.drawing.user;
        let levels = thinned(points, |point| point.at, |point| loudness(point.level_dbfs));
        self.wave("user", USER, &levels);
        let voice = thinned(points, |point| point.at, |point| finite(point.voice));
        let (top, height) = VOICE;
        let bottom = top + height;
        let half = top + height / 2.0;
        self.put(format_args!(
            r#"<path class="grid" d="M{LEFT} {half}H{RIGHT}M{LEFT} {top}H{RIGHT}" fill="none"/>"#
        ));
        self.text("faint", LEFT - 22.0, half + 4.0, "0.5");
        let mut path = String::new();
        for (at, value) in &voice {
            let y = bottom - height * value;
            let command = if path.is_empty() {
                format!("M{:.1} {bottom}", self.x(*at))
            } else {
                String::new()
            };
            write!(path, "{command}L{:.1} {y:.1}", self.x(*at)).expect("strings take all");
        }
        if let Some((last, _)) = voice.last() {
            let x = self.x(*last);
            self.put(format_args!(r#"<path class="voice" d="{path}L{x:.1} {bottom}Z"/>"#));
        }
    }

    /// Runs of frames that may be echo, those that are.
    fn echo(&mut self) {
        let (top, height) = ECHO;
        let (width, middle) = (RIGHT - LEFT, top + height / 2.0);
        self.put(format_args!(
            "<rect class=\"idle\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{width}\" height=\"2\"/>",
            middle - 1.0
        ));
        let worst = |group: &[super::UserPoint]| {
            let is = |verdict| group.iter().any(|point| point.echo == verdict);
            let verdicts = [EchoVerdict::Certain, EchoVerdict::Likely];
            verdicts.into_iter().find(|verdict| is(*verdict)).unwrap_or_default()
        };
        let verdicts: Vec<_> =
            super::groups(&self.drawing.user).map(|it| (it[0].at, worst(it))).collect();
        let mut rest = verdicts.as_slice();
        while let Some((at, verdict)) = rest.first().copied() {
            let run = rest.iter().take_while(|(_, next)| *next == verdict).count();
            let until = rest.get(run).map_or(self.drawing.end(), |(until, _)| *until);
            rest = &rest[run..];
            if verdict != EchoVerdict::Clear {
                let (x, name) = (self.x(at), verdict.name());
                let width = (self.x(until) - x).max(0.6);
                self.put(format_args!(
                    "<rect class=\"{name}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" \
                     height=\"{height}\"/>"
                ));
            }
        }
    }

    fn agent(&mut self) {
        let points = &self.drawing.agent;
        let levels = thinned(points, |point| point.at, |point| loudness(point.level_dbfs));
        self.wave("agent", AGENT, &levels);
    }

    /// A level mirrored about the middle of its row, as waveforms look.
    fn wave(&mut self, class: &str, (top, height): (f32, f32), levels: &[(SessionTime, f32)]) {
        let middle = top + height / 2.0;
        self.put(format_args!(r#"<path class="grid" d="M{LEFT} {middle}H{RIGHT}" fill="none"/>"#));
        let (mut upper, mut lower) = (String::new(), Vec::new());
        for (at, share) in levels {
            let (x, half) = (self.x(*at), height / 2.0 * share);
            let command = if upper.is_empty() { 'M' } else { 'L' };
            write!(upper, "{command}{x:.1} {:.1}", middle - half).expect("strings take all");
            lower.push(format!("L{x:.1} {:.1}", middle + half));
        }
        lower.reverse();
        let lower = lower.concat();
        if !upper.is_empty() {
            self.put(format_args!(r#"<path class="{class}" d="{upper}{lower}Z"/>"#));
        }
    }

    /// Lines through all rows and labels on as many lines as they need to be read; where even that is too
    /// little, a label is left to the pointer.
    fn marks(&mut self) {
        let (top, height) = EVENTS;
        let mut free = [LEFT; LABEL_LINES];
        for Mark { at, kind, label } in &self.drawing.marks {
            let x = self.x(*at);
            let class = class_of(*kind);
            let width = label.chars().count() as f32 * LABEL_CHAR + 14.0;
            // Near the right edge a label stands before its line.
            let begin = if x + width > WIDTH - 8.0 { x - width } else { x };
            let line = free.iter().position(|free| *free <= begin);
            let row = line.unwrap_or(LABEL_LINES - 1) as f32;
            let y = top + height / LABEL_LINES as f32 * (row + 0.5);
            let from = FLOOR.0;
            self.put(format_args!(
                "<g class=\"{class}\"><path class=\"mark\" d=\"M{x:.1} {from}V{y:.1}\"/>\
                 <circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{at} {}</title>\
                 </circle></g>",
                escaped(label)
            ));
            if let Some(line) = line {
                free[line] = begin + width;
                let text_x = if begin < x { begin + 4.0 } else { x + 6.0 };
                self.text("", text_x, y + 4.0, label);
            }
        }
    }

    fn legend(&mut self) {
        let floors = ["idle", "user", "settling", "thinking", "agent", "contested", "yielding"];
        let mut x = LEFT;
        for name in floors {
            x = self.key(x, name, name);
        }
        x = self.key(x + 14.0, "likely", "echo likely");
        x = self.key(x, "certain", "echo certain");
        x += 14.0;
        let kinds = [
            (MarkKind::Turn, "turn"),
            (MarkKind::Doubt, "suspected"),
            (MarkKind::Cut, "cut"),
            (MarkKind::Dismissed, "dismissed"),
        ];
        for (kind, name) in kinds {
            let class = class_of(kind);
            self.put(format_args!(
                r#"<g class="{class}"><circle class="dot" cx="{x:.1}" cy="{:.1}" r="4"/></g>"#,
                LEGEND - 4.0
            ));
            self.text("faint", x + 8.0, LEGEND, name);
            x += name.len() as f32 * LABEL_CHAR + 24.0;
        }
        if self.drawing.left_out > 0 {
            let text = format!("{} later bands and events left out", self.drawing.left_out);
            self.text("faint", LEFT, LEGEND + 16.0, &text);
        }
    }

    fn key(&mut self, x: f32, class: &str, name: &str) -> f32 {
        let y = LEGEND - 10.0;
        self.put(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="12" height="12" rx="2"/>"#
        ));
        self.text("faint", x + 16.0, LEGEND, name);
        x + name.len() as f32 * LABEL_CHAR + 32.0
    }
}

const fn class_of(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Turn => "turn",
        MarkKind::Doubt => "doubt",
        MarkKind::Cut => "cut",
        MarkKind::Dismissed => "dismissed",
        MarkKind::End => "end",
    }
}

/// A level as a share of the row's height. Levels come from files too, and may be anything.
fn loudness(level_dbfs: f32) -> f32 {
    finite((level_dbfs - QUIET_DBFS) / -QUIET_DBFS)
}

fn finite(share: f32) -> f32 {
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML.
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
