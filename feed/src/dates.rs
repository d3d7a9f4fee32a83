//! When a sale price holds.

/// Seconds since 1970 of a date, with or without a time and a zone; UTC without. A date alone is
/// its begin, or with `end` its end.
pub(crate) fn seconds(text: &str, end: bool) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from the civil calendar, as in Howard Hinnant's date algorithms.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (y / 400, y % 400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let begin = days * 86_400;
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    if rest.is_empty() {
        return Some(if end { begin + 86_399 } else { begin });
    }
    let zone = rest.find(['+', '-', 'Z', 'z']);
    let (time, zone) = rest.split_at(zone.unwrap_or(rest.len()));
    let mut time = time.trim().split(':');
    let mut part = |most: f64| match time.next() {
        None => Some(0.0),
        Some(text) => text.parse::<f64>().ok().filter(|n| (0.0..=most).contains(n)),
    };
    let of_day = part(24.0)? * 3600.0 + part(59.0)? * 60.0 + part(60.0)?;
    Some(begin + of_day as i64 - offset(zone)?)
}

/// `Z`, `+01:00`, `-0800`, in seconds.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next() {
        None | Some('Z' | 'z') => return Some(0),
        Some('-') => -1,
        Some(_) => 1,
    };
    let digits: String = zone[1..].chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        2 => (digits.parse::<i64>().ok()?, 0),
        4 => (digits[..2].parse::<i64>().ok()?, digits[2..].parse::<i64>().ok()?),
        _ => return None,
    };
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Whether a time lies in an interval `begin/end`, or in one of two single dates. What cannot be
/// read sets no limit.
pub(crate) fn holds(
    now: i64,
    interval: Option<&str>,
    begin: Option<&str>,
    end: Option<&str>,
) -> bool {
    let (mut first, mut last) = (begin, end);
    if let Some((begin, end)) = interval.and_then(|text| text.split_once('/')) {
        first = Some(begin);
        last = Some(end);
    }
    let after = first.and_then(|t| seconds(t, false)).is_none_or(|t| now >= t);
    let before = last.and_then(|t| seconds(t, true)).is_none_or(|t| now <= t);
    after && before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_their_zones() {
        assert_eq!(seconds("1970-01-01", false), Some(0));
        assert_eq!(seconds("2024-02-29T12:30:15Z", false), Some(1_709_209_815));
        assert_eq!(seconds("2024-02-29T12:30+0100", false), Some(1_709_206_200));
        assert_eq!(seconds("2024-02-29 12:30:00-08:00", false), Some(1_709_238_600));
        assert_eq!(seconds("2024-02-29", true), Some(1_709_251_199));
        for text in ["", "29.02.2024", "2024-13-01", "2024-01-01Tnoon", "ä024-01-01"] {
            assert_eq!(seconds(text, false), None, "{text}");
        }
    }

    #[test]
    fn an_interval_holds_between_its_ends() {
        let interval = Some("2024-02-01T00:00+0000/2024-02-03T00:00+0000");
        let now = |text| seconds(text, false).unwrap();
        assert!(holds(now("2024-02-02"), interval, None, None));
        assert!(!holds(now("2024-01-31"), interval, None, None));
        assert!(!holds(now("2024-02-04"), interval, None, None));
        assert!(holds(now("2024-02-04"), Some("whenever"), None, None));
        assert!(!holds(now("2024-02-04"), None, None, Some("2024-02-03")));
        assert!(holds(now("2024-02-03"), None, Some("2024-02-03"), Some("2024-02-03")));
    }
}
