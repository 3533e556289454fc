//! How text looks: colours, width, wrapping, numbers; and what makes a string from the wire safe to show.

use std::fmt::Write as _;
use std::io;

use anstyle::{AnsiColor, Effects, Style};
use terrier_engine::detect::Severity;
use terrier_engine::record::Timestamp;

/// What the reader's terminal can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Escape sequences for colours may be written.
    pub(super) colour: bool,
    /// Characters beyond ASCII may be written.
    pub(super) unicode: bool,
    /// Columns. Where nobody looks, lines of alerts are not wrapped, but a summary is.
    pub(super) width: usize,
    /// Whether somebody looks.
    pub(super) terminal: bool,
}

impl Look {
    /// The look for standard output if that is a terminal, else for a file.
    pub(super) fn of(terminal: bool) -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"))
            .unwrap_or_default()
            .to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self {
            colour: terminal && !dumb && set("NO_COLOR").is_none(),
            unicode: utf8 && !dumb,
            width: DEFAULT_WIDTH,
            terminal,
        }
        .measured()
    }

    /// The same with the width that the terminal has now.
    pub(super) fn measured(mut self) -> Self {
        if self.terminal
            && let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
            && size.ws_col > 0
        {
            self.width = usize::from(size.ws_col).clamp(MIN_WIDTH, MAX_WIDTH);
        }
        self
    }

    /// From whom to whom.
    pub(super) fn arrow(self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    /// A string from the wire as it may be shown; see [`safe`].
    pub(super) fn safe(self, text: &str) -> String {
        safe(text, self.unicode, MAX_SHOWN)
    }

    /// A text of ours or of a signature file, whole.
    pub(super) fn whole(self, text: &str) -> String {
        safe(text, self.unicode, usize::MAX)
    }
}

/// A piece of text in one style.
pub(super) struct Span {
    text: String,
    style: Style,
}

/// Text in no style.
pub(super) fn plain(text: impl Into<String>) -> Span {
    Span {
        text: text.into(),
        style: Style::new(),
    }
}

/// What the eye should find.
pub(super) fn bold(text: impl Into<String>) -> Span {
    Span {
        text: text.into(),
        style: Style::new().bold(),
    }
}

/// What the eye may skip.
pub(super) fn dim(text: impl Into<String>) -> Span {
    Span {
        text: text.into(),
        style: Style::new().effects(Effects::DIMMED),
    }
}

/// Text in the colour of a severity.
pub(super) fn coloured(severity: Severity, text: impl Into<String>) -> Span {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    let style = match severity {
        Severity::Info => Style::new(),
        Severity::Low => colour(AnsiColor::Cyan),
        Severity::Medium => colour(AnsiColor::Yellow),
        Severity::High => colour(AnsiColor::Red),
        Severity::Critical => colour(AnsiColor::BrightRed).bold(),
    };
    Span {
        text: text.into(),
        style,
    }
}

/// The word of a severity; what is to be looked at today or sooner stands out without colours too.
pub(super) fn severity_word(severity: Severity) -> String {
    if severity >= Severity::Medium {
        severity.name().to_ascii_uppercase()
    } else {
        severity.name().to_owned()
    }
}

/// Text that is being laid out.
pub(super) struct Page {
    pub(super) look: Look,
    pub(super) text: String,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self {
            look,
            text: String::new(),
        }
    }

    /// An empty line, unless one stands there already.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// `margin`, then `body` from column `indent` on, wrapped at the width of the look; what is wrapped is indented alike.
    pub(super) fn paragraph(&mut self, margin: Span, indent: usize, body: &[Span]) {
        let mut pen = Pen::new(self.look.colour);
        let mut column = 0;
        for c in margin.text.chars() {
            pen.put(c, margin.style);
            column += columns(c);
        }
        // A margin that is too wide is set off by one blank.
        let blanks = indent
            .saturating_sub(column)
            .max(usize::from(column > 0 && indent > 0));
        pen.blanks(blanks);
        column += blanks;
        let mut line_is_empty = true;
        for Word { blanks, letters } in words(body) {
            let wide: usize = letters.iter().map(|&(c, _)| columns(c)).sum();
            let before = if line_is_empty { 0 } else { blanks };
            if !line_is_empty && column + before + wide > self.look.width {
                pen.line();
                pen.blanks(indent);
                column = indent;
            } else {
                pen.blanks(before);
                column += before;
            }
            for (c, style) in letters {
                // A word that fills more than a line is cut where the line ends.
                if column + columns(c) > self.look.width {
                    pen.line();
                    pen.blanks(indent);
                    column = indent;
                }
                pen.put(c, style);
                column += columns(c);
            }
            line_is_empty = false;
        }
        pen.line();
        self.text.push_str(&pen.text);
    }
}

/// What stands between blanks, whatever its styles.
struct Word {
    /// How many stand before it.
    blanks: usize,
    letters: Vec<(char, Style)>,
}

fn words(body: &[Span]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut blanks = 0;
    for span in body {
        for c in span.text.chars() {
            if c == ' ' {
                blanks += 1;
                continue;
            }
            match words.last_mut() {
                Some(word) if blanks == 0 => word.letters.push((c, span.style)),
                _ => words.push(Word {
                    blanks: std::mem::take(&mut blanks),
                    letters: vec![(c, span.style)],
                }),
            }
        }
    }
    words
}

/// Writes styled characters with as few escape sequences as they need.
struct Pen {
    text: String,
    colour: bool,
    style: Style,
    /// Blanks are written only when something follows: no line ends with one.
    blanks: usize,
}

impl Pen {
    fn new(colour: bool) -> Self {
        Self {
            text: String::new(),
            colour,
            style: Style::new(),
            blanks: 0,
        }
    }

    fn put(&mut self, c: char, style: Style) {
        if c == ' ' {
            self.blanks += 1;
            return;
        }
        self.wear(style);
        self.text
            .extend(std::iter::repeat_n(' ', std::mem::take(&mut self.blanks)));
        self.text.push(if c == NO_BREAK { ' ' } else { c });
    }

    fn wear(&mut self, style: Style) {
        if self.colour && style != self.style {
            // Writing to a string does not fail.
            let _ = write!(self.text, "{}{}", self.style.render_reset(), style.render());
        }
        self.style = style;
    }

    fn blanks(&mut self, count: usize) {
        self.blanks += count;
    }

    fn line(&mut self) {
        self.wear(Style::new());
        self.blanks = 0;
        self.text.push('\n');
    }
}

/// A string as it may be shown: on one line, cut to `most` characters, with everything escaped that moves the cursor,
/// changes colours, hides, or turns the order of the characters around it. Letters and digits of other
/// scripts are kept where the terminal can show them, but not those written from right to left: beside an address they
/// would reorder its digits.
fn safe(text: &str, unicode: bool, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (at, c) in text.chars().enumerate() {
        if at == most {
            shown.push_str("...");
            break;
        }
        if matches!(c, ' '..='~') || (unicode && is_harmless_letter(c)) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    shown
}

fn is_harmless_letter(c: char) -> bool {
    let right_to_left = matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}');
    // Hangul fillers are letters without a shape.
    let invisible = matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}');
    c.is_alphanumeric() && !right_to_left && !invisible
}

/// How many columns a terminal gives a character: two for those of East Asia, nearly enough.
fn columns(c: char) -> usize {
    let wide = matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}');
    if wide { 2 } else { 1 }
}

/// `1234567` as `1,234,567`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with its noun: `1 packet`, `2 packets`.
pub(super) fn count(value: u64, noun: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number(value))
}

/// Octets with a decimal unit, as disks and networks count.
pub(super) fn octets(value: u64) -> String {
    let mut unit = "bytes";
    let mut tenths = value.saturating_mul(10);
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if tenths < 10_000 {
            break;
        }
        tenths = (tenths + 500) / 1000;
        unit = larger;
    }
    match (unit, tenths / 10, tenths % 10) {
        ("bytes", 1, _) => "1 byte".to_owned(),
        ("bytes", whole, _) | (_, whole @ 100.., _) => format!("{whole} {unit}"),
        (_, whole, tenth) => format!("{whole}.{tenth} {unit}"),
    }
}

/// How long, by the two largest units.
pub(super) fn duration(ns: i64) -> String {
    let seconds = ns.max(0) / SECOND;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |large: i64, one: &str, small: i64, other: &str| {
        if small == 0 {
            format!("{large} {one}")
        } else {
            format!("{large} {one} {small} {other}")
        }
    };
    match (days, hours, minutes) {
        (0, 0, 0) if rest == 0 => "under a second".to_owned(),
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => two(minutes, "min", rest, "s"),
        (0, ..) => two(hours, "h", minutes, "min"),
        _ if days >= 100 => format!("{} d", number(days.unsigned_abs())),
        _ => two(days, "d", hours, "h"),
    }
}

/// The UTC day of a time: `2026-11-24`.
pub(super) fn day(ns: i64) -> String {
    Timestamp(ns).to_string().chars().take(10).collect()
}

/// The UTC time of day: `10:00:03`.
pub(super) fn time(ns: i64) -> String {
    Timestamp(ns).to_string().chars().skip(11).take(8).collect()
}

/// A span of time in UTC. The day is left out where it is `today`.
pub(super) fn span(first_ns: i64, last_ns: i64, today: Option<&str>) -> String {
    let (first_day, last_day) = (day(first_ns), day(last_ns));
    let mut text = String::new();
    if today != Some(&first_day) {
        text = format!("{first_day} ");
    }
    text.push_str(&time(first_ns));
    if first_day != last_day {
        let _ = write!(text, " to {last_day} {}", time(last_ns));
    } else if time(first_ns) != time(last_ns) {
        let _ = write!(text, " to {}", time(last_ns));
    }
    text
}

/// A blank at which no line is broken. It is ours alone: [`safe`] escapes it.
const NO_BREAK: char = '\u{a0}';
const SECOND: i64 = 1_000_000_000;
/// Where no terminal says otherwise.
const DEFAULT_WIDTH: usize = 100;
/// Below it the columns leave no room for an address.
const MIN_WIDTH: usize = 60;
/// Longer lines are hard to read.
const MAX_WIDTH: usize = 120;
/// Of a string from the wire; most host names are shorter, and the records have the whole.
const MAX_SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_octets_and_durations_are_for_people() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(1, "host"), "1 host");
        let cases = [
            (1, "1 byte"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (812_400_000, "812 MB"),
            (40_000_000_000, "40.0 GB"),
        ];
        for (value, want) in cases {
            assert_eq!(octets(value), want);
        }
        let cases = [
            (0, "under a second"),
            (59, "59 s"),
            (60, "1 min"),
            (194, "3 min 14 s"),
            (5400, "1 h 30 min"),
            (90 * 86_400 + 3600, "90 d 1 h"),
        ];
        for (seconds, want) in cases {
            assert_eq!(duration(seconds * SECOND), want);
        }
    }

    #[test]
    fn strings_from_the_wire_cannot_drive_the_terminal() {
        let cases = [
            (
                "\u{1b}[2J\u{1b}]0;owned\u{7}",
                r"\u{1b}[2J\u{1b}]0;owned\u{7}",
            ),
            ("a\r\nHIGH forged", r"a\r\nHIGH forged"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("txt.\u{202e}exe", r"txt.\u{202e}exe"),
            ("zero\u{200b}width\u{3164}", r"zero\u{200b}width\u{3164}"),
            ("1.2.3.4 \u{5d0}", r"1.2.3.4 \u{5d0}"),
            ("Büro 東京", "Büro 東京"),
        ];
        for (hostile, want) in cases {
            assert_eq!(safe(hostile, true, MAX_SHOWN), want);
        }
        assert_eq!(safe("Büro", false, MAX_SHOWN), r"B\u{fc}ro");
        assert_eq!(
            safe(&"x".repeat(9999), true, MAX_SHOWN).len(),
            MAX_SHOWN + 3
        );
    }

    #[test]
    fn wraps_at_the_width_and_cuts_what_is_longer() {
        let look = Look {
            colour: false,
            unicode: true,
            width: 20,
            terminal: false,
        };
        let mut page = Page::new(look);
        let body = format!("one two three four 東京 {}", "x".repeat(20));
        page.paragraph(plain("why"), 5, &[plain(body)]);
        let want = "why  one two three\n     four 東京\n     xxxxxxxxxxxxxxx\n     xxxxx\n";
        assert_eq!(page.text, want);
        assert!(
            page.text
                .lines()
                .all(|line| line.chars().map(columns).sum::<usize>() <= 20)
        );
    }

    #[test]
    fn every_style_is_taken_back_at_the_end_of_its_line() {
        let look = Look {
            colour: true,
            unicode: true,
            width: 20,
            terminal: false,
        };
        let mut page = Page::new(look);
        page.paragraph(
            coloured(Severity::High, "HIGH"),
            6,
            &[bold("aaaaaaaaaa bbbbbbbbbb")],
        );
        let want = "\u{1b}[31mHIGH\u{1b}[0m\u{1b}[1m  aaaaaaaaaa\u{1b}[0m\n\u{1b}[1m      bbbbbbbbbb\u{1b}[0m\n";
        assert_eq!(page.text, want);
    }
}
