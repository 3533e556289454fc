//! A span of time in which packets are looked at: `--since` and `--until`.
//!
//! *In*: two texts of the command line and the time of the first packet. *Out*: what lies between, from the one up to, and
//! not including, the other; so that spans which follow one another share no packet. The times are those of the packets,
//! and of all of them: a capture whose clock was set back may leave the span and come into it again.
//!
//! A moment is a date with time and zone (RFC 3339), the same without a zone or without a time (UTC, as all of Terrier's
//! output), seconds since 1970, or a length of time after the first packet.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Chunk;

/// A moment as an operator names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds since 1970 (UTC).
    At(i64),
    /// Nanoseconds after the first packet.
    After(i64),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is none of the forms there are.
    #[error(
        "not a time; write it like 2026-11-24T10:00:00Z, 2026-11-24T11:00:00+01:00, 2026-11-24 (UTC), 1795514400 (seconds since 1970) or +90s, +1h30m (after the first packet)"
    )]
    Form,
    /// It is a number that hardly means seconds since 1970.
    #[error(
        "as seconds since 1970 this is {0}; write @{1} if that is meant, or a date like 2026-11-24"
    )]
    Early(String, String),
    /// It is before 1678 or after 2261, or there is no such day.
    #[error("there is no such time, or none that a capture can have")]
    Range,
}

/// A span that no packet can lie in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--until is not after --since: no packet lies between {since} and {until}")]
pub struct EmptyWindow {
    since: String,
    until: String,
}

/// The span, and how much was outside.
#[derive(Debug, Clone, Default)]
pub struct Window {
    since: Option<Moment>,
    until: Option<Moment>,
    /// First nanosecond inside, and the first one that is not any more, once the first packet is known.
    bounds: Option<(i64, i64)>,
    /// How many packets came before it.
    pub before: u64,
    /// How many came after it.
    pub after: u64,
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        if let Some(length) = text.strip_prefix('+') {
            return span(length).map(Self::After);
        }
        let digits = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        if let Some(seconds) = text.strip_prefix('@').filter(|&seconds| digits(seconds)) {
            return seconds_ns(seconds).map(Self::At);
        }
        if digits(text) {
            let at_ns = seconds_ns(text)?;
            // 20261124 and 2026 are dates of somebody who is in a hurry.
            if at_ns < EARLIEST_NUMBER {
                return Err(MomentError::Early(shown(at_ns), text.to_owned()));
            }
            return Ok(Self::At(at_ns));
        }
        date(text).map(Self::At)
    }
}

/// A date, perhaps with a time, perhaps with a zone.
fn date(text: &str) -> Result<i64, MomentError> {
    let (day, rest) = text.split_at_checked(10).ok_or(MomentError::Form)?;
    let whole = match rest.split_at_checked(1) {
        None => format!("{day}T00:00:00Z"),
        Some(("T" | "t" | " " | "_", clock)) => {
            let zone = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
            let (clock, zone) = clock.split_at(zone);
            let seconds = if clock.len() == "10:00".len() {
                ":00"
            } else {
                ""
            };
            let zone = if zone.is_empty() { "Z" } else { zone };
            format!("{day}T{clock}{seconds}{zone}")
        }
        Some(_) => return Err(MomentError::Form),
    };
    let form = |place: usize, octet: u8| match place {
        4 | 7 => octet == b'-',
        _ => octet.is_ascii_digit(),
    };
    if !day
        .bytes()
        .enumerate()
        .all(|(place, octet)| form(place, octet))
    {
        return Err(MomentError::Form);
    }
    let at = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|error| match error {
        time::error::Parse::TryFromParsed(_) => MomentError::Range,
        _ => MomentError::Form,
    })?;
    i64::try_from(at.unix_timestamp_nanos()).map_err(|_| MomentError::Range)
}

/// Seconds with up to nine decimals, in nanoseconds.
fn seconds_ns(text: &str) -> Result<i64, MomentError> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > 9 {
        return Err(MomentError::Form);
    }
    let number = |text: &str| text.parse::<i64>().map_err(|_| MomentError::Form);
    let fraction = number(decimals)? * 10_i64.pow(9 - decimals.len() as u32);
    whole
        .parse::<i64>()
        .map_err(|_| MomentError::Range)?
        .checked_mul(NS_PER_S)
        .and_then(|ns| ns.checked_add(fraction))
        .ok_or(MomentError::Range)
}

/// A length of time: `90`, `90s`, `1.5s`, `1h30m`, `2d`, `250ms`.
fn span(mut text: &str) -> Result<i64, MomentError> {
    let mut sum = 0_i64;
    if text.is_empty() {
        return Err(MomentError::Form);
    }
    while !text.is_empty() {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(end);
        let (times, per) = match unit {
            "" | "s" | "sec" => (1, 1),
            "ms" => (1, 1_000),
            "m" | "min" => (60, 1),
            "h" => (3_600, 1),
            "d" => (86_400, 1),
            _ => return Err(MomentError::Form),
        };
        sum = seconds_ns(number)?
            .checked_mul(times)
            .and_then(|ns| sum.checked_add(ns / per))
            .ok_or(MomentError::Range)?;
        text = rest;
    }
    Ok(sum)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::At(at_ns) => f.write_str(&shown(at_ns)),
            Self::After(ns) => write!(
                f,
                "{} s after the first packet",
                ns as f64 / NS_PER_S as f64
            ),
        }
    }
}

fn shown(at_ns: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(at_ns.into())
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| at_ns.to_string())
}

impl Moment {
    fn resolve(self, first_ns: i64) -> i64 {
        match self {
            Self::At(at_ns) => at_ns,
            Self::After(ns) => first_ns.saturating_add(ns),
        }
    }

    /// The moment, where it does not depend on a packet or that one is known.
    fn known(self, first_ns: Option<i64>) -> Option<i64> {
        match (self, first_ns) {
            (Self::At(at_ns), _) => Some(at_ns),
            (Self::After(_), first_ns) => first_ns.map(|first_ns| self.resolve(first_ns)),
        }
    }
}

impl Window {
    /// A span from `since` on and up to `until`.
    ///
    /// # Errors
    /// When nothing can lie between, as far as that shows without a packet.
    pub fn new(since: Option<Moment>, until: Option<Moment>) -> Result<Self, EmptyWindow> {
        match (since, until) {
            (Some(Moment::At(from)), Some(Moment::At(to)))
            | (Some(Moment::After(from)), Some(Moment::After(to)))
                if to <= from =>
            {
                return Err(empty(since, until));
            }
            _ => {}
        }
        Ok(Self {
            since,
            until,
            ..Self::default()
        })
    }

    /// Whether it is all of time.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// The first nanosecond behind the span; `first_ns` is the time of the first packet, as far as it is known.
    #[must_use]
    pub fn end_ns(&self, first_ns: Option<i64>) -> Option<i64> {
        self.until?.known(first_ns)
    }

    /// Forgets the first packet and the counts: another capture begins.
    pub fn restart(&mut self) {
        (self.bounds, self.before, self.after) = (None, 0, 0);
    }

    /// Keeps the packets that lie in the span. The first packet of all is the one that moments are counted from.
    ///
    /// # Errors
    /// When it turns out that nothing can lie between.
    pub fn keep(&mut self, chunk: &mut Chunk) -> Result<(), EmptyWindow> {
        let Some(first) = chunk.metas().first() else {
            return Ok(());
        };
        let (from, to) = match self.bounds {
            Some(bounds) => bounds,
            None => {
                let end = |moment: Option<Moment>, open| {
                    moment.map_or(open, |moment| moment.resolve(first.at_ns))
                };
                let (from, to) = (end(self.since, i64::MIN), end(self.until, i64::MAX));
                if to <= from {
                    return Err(empty(Some(Moment::At(from)), Some(Moment::At(to))));
                }
                *self.bounds.insert((from, to))
            }
        };
        // The last moment there is belongs to a span without an end.
        let open = self.until.is_none();
        let (before, after) = (&mut self.before, &mut self.after);
        chunk.retain(|meta, _| {
            let (early, late) = (meta.at_ns < from, meta.at_ns >= to && !open);
            *before += u64::from(early);
            *after += u64::from(late);
            !early && !late
        });
        Ok(())
    }
}

fn empty(since: Option<Moment>, until: Option<Moment>) -> EmptyWindow {
    let text = |moment: Option<Moment>| moment.map(|moment| moment.to_string());
    EmptyWindow {
        since: text(since).unwrap_or_default(),
        until: text(until).unwrap_or_default(),
    }
}

const NS_PER_S: i64 = 1_000_000_000;
/// March 1973: smaller numbers have fewer than nine digits.
const EARLIEST_NUMBER: i64 = 100_000_000 * NS_PER_S;

#[cfg(test)]
mod tests {
    use super::super::Meta;
    use super::*;
    use terrier_engine::LinkType;

    const TEN: i64 = 1_795_514_400 * NS_PER_S;

    fn at(text: &str) -> i64 {
        match text.parse() {
            Ok(Moment::At(at_ns)) => at_ns,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn reads_dates_with_and_without_time_and_zone() {
        for same in [
            "2026-11-24T10:00:00Z",
            "2026-11-24t10:00:00z",
            "2026-11-24 10:00:00",
            "2026-11-24_10:00",
            "2026-11-24T10:00",
            "2026-11-24T10:00:00.000",
            "2026-11-24T11:00:00+01:00",
            "2026-11-24T04:30-05:30",
            "1795514400",
            "1795514400.0",
            "@1795514400",
        ] {
            assert_eq!(at(same), TEN, "{same}");
        }
        assert_eq!(at("2026-11-24"), TEN - 10 * 3_600 * NS_PER_S);
        assert_eq!(at("2026-11-24T10:00:00.25Z"), TEN + 250_000_000);
        assert_eq!(at("1795514400.000000001"), TEN + 1);
        assert_eq!(at("1969-12-31T23:59:59Z"), -NS_PER_S);
        assert_eq!(at("@5"), 5 * NS_PER_S);
    }

    #[test]
    fn reads_lengths_after_the_first_packet() {
        for (text, ns) in [
            ("+90s", 90 * NS_PER_S),
            ("+90", 90 * NS_PER_S),
            ("+1.5s", 1_500_000_000),
            ("+1m30s", 90 * NS_PER_S),
            ("+1h", 3_600 * NS_PER_S),
            ("+2d", 172_800 * NS_PER_S),
            ("+250ms", 250_000_000),
            ("+0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Moment::After(ns)), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_text() {
        for text in [
            "",
            "+",
            "yesterday",
            "+5 weeks",
            "+x",
            "+1.s",
            "2026-11",
            "24.11.2026 10:00",
            "2026-11-24X10:00",
            "2026-11-24T10",
            "2026-11-24T10:00:00+1",
            "2026/11/24",
            "@",
            "@x",
            "-5",
            "1795514400.",
            "ä2026-11-24",
            "1795514400.0000000001",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(MomentError::Form), "{text}");
        }
        for text in [
            "2026-02-30",
            "2026-13-01",
            "9999999999999",
            "+9999999999d",
            "1500-01-01",
        ] {
            let refused = text.parse::<Moment>();
            assert!(
                matches!(refused, Err(MomentError::Range | MomentError::Form)),
                "{text}: {refused:?}"
            );
        }
        let error = "20261124"
            .parse::<Moment>()
            .expect_err("a date without dashes");
        assert_eq!(
            error.to_string(),
            "as seconds since 1970 this is 1970-08-23T12:05:24Z; write @20261124 if that is meant, or a date like 2026-11-24"
        );
    }

    /// What is left of packets at these seconds.
    fn kept(window: &mut Window, seconds: &[i64]) -> Vec<i64> {
        let mut chunk = Chunk::new();
        for &second in seconds {
            let meta = Meta {
                at_ns: second * NS_PER_S,
                frame: 1,
                link: LinkType::ETHERNET,
                wire_len: 0,
                start: 0,
                len: 0,
                capture: 0,
            };
            assert!(chunk.push(meta, b""));
        }
        window.keep(&mut chunk).expect("something may lie between");
        chunk
            .metas()
            .iter()
            .map(|meta| meta.at_ns / NS_PER_S)
            .collect()
    }

    #[test]
    fn keeps_what_lies_between_and_counts_the_rest() {
        let window = |since: &str, until: &str| {
            let moment = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a moment"));
            Window::new(moment(since), moment(until)).expect("a span")
        };
        let seconds = [100, 110, 105, 120, 130];
        let mut both = window("@105", "@120");
        assert_eq!(kept(&mut both, &seconds), [110, 105]);
        assert_eq!((both.before, both.after), (1, 2));
        assert_eq!(kept(&mut both, &[119, 120, 104]), [119]);
        assert_eq!((both.before, both.after), (2, 3));
        assert_eq!(kept(&mut window("+10s", ""), &seconds), [110, 120, 130]);
        assert_eq!(kept(&mut window("", "+10"), &seconds), [100, 105]);
        let mut all = window("", "");
        assert!(all.is_everything());
        assert_eq!(kept(&mut all, &seconds), seconds);
        // The first packet stays the first one, also in a later chunk; another capture has its own.
        let mut relative = window("+10s", "+20s");
        assert_eq!(kept(&mut relative, &[100]), [0; 0]);
        assert_eq!(kept(&mut relative, &[110, 121]), [110]);
        relative.restart();
        assert_eq!(kept(&mut relative, &[110, 121]), [121]);
        assert_eq!((relative.before, relative.after), (1, 0));
        assert_eq!(relative.end_ns(None), None);
        assert_eq!(relative.end_ns(Some(NS_PER_S)), Some(21 * NS_PER_S));
    }

    #[test]
    fn refuses_a_span_in_which_nothing_can_lie() {
        let new = |since: &str, until: &str| {
            let (since, until) = (since.parse().ok(), until.parse().ok());
            Window::new(since, until)
        };
        assert!(new("@5", "@5").is_err());
        assert!(new("+2m", "+90s").is_err());
        let error = new("2026-11-25", "2026-11-24").expect_err("the wrong way round");
        assert_eq!(
            error.to_string(),
            "--until is not after --since: no packet lies between 2026-11-25T00:00:00Z and 2026-11-24T00:00:00Z"
        );
        // What depends on a packet shows with it.
        let mut late = new("+1h", "@10").expect("it may be right");
        let mut chunk = Chunk::new();
        let meta = Meta {
            at_ns: NS_PER_S,
            frame: 1,
            link: LinkType::ETHERNET,
            wire_len: 0,
            start: 0,
            len: 0,
            capture: 0,
        };
        assert!(chunk.push(meta, b""));
        assert!(late.keep(&mut chunk).is_err());
    }
}
