//! Spans of time as Go writes them: `1h2m3.5s`, `100ms`, `1.234567ms`.

use std::time::Duration;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Reads a span. Negative ones are legal in Go and mean "already over": they come back as zero.
/// The error is Go's text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let quoted = super::quote(text.as_bytes());
    let invalid = || format!("time: invalid duration {quoted}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {quoted}"));
        }
        let Some(scale) = unit_nanos(unit) else {
            return Err(format!("time: unknown unit {} in duration {quoted}", super::quote(unit.as_bytes())));
        };
        nanos = whole_nanos(whole, scale)
            .and_then(|part| nanos.checked_add(part))
            .and_then(|sum| sum.checked_add(fraction_nanos(fraction, scale)))
            .filter(|sum| *sum <= i64::MAX as u128)
            .ok_or_else(invalid)?;
        rest = after;
    }
    Ok(if negative { Duration::ZERO } else { from_nanos(nanos) })
}

/// Writes a span: below a second in the largest fitting unit of ns, µs, ms; above as hours, minutes, seconds.
pub fn format_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..NANOS_PER_SECOND => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => {
            let seconds = format!("{}s", decimal(nanos % (60 * NANOS_PER_SECOND), NANOS_PER_SECOND));
            let minutes = nanos / (60 * NANOS_PER_SECOND);
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

/// `value / unit` in decimal without trailing zeros; `unit` is a power of ten.
fn decimal(value: u128, unit: u128) -> String {
    let width = unit.ilog10() as usize;
    let text = format!("{}.{:0width$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        _ => return None,
    })
}

fn whole_nanos(digits: &str, scale: u128) -> Option<u128> {
    if digits.is_empty() {
        return Some(0);
    }
    digits.parse::<u128>().ok()?.checked_mul(scale)
}

fn fraction_nanos(digits: &str, scale: u128) -> u128 {
    let mut weight = scale;
    let mut sum = 0;
    for digit in digits.bytes() {
        sum += u128::from(digit - b'0') * weight / 10;
        weight /= 10;
    }
    sum
}

fn from_nanos(nanos: u128) -> Duration {
    Duration::new((nanos / NANOS_PER_SECOND) as u64, (nanos % NANOS_PER_SECOND) as u32)
}
