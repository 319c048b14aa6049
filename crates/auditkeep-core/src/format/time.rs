//! The times that logs state, as microseconds since 1970-01-01 UTC.
//!
//! A time without a zone, or with one other than UTC, is taken for UTC and said to be inexact: no zone table is consulted,
//! because an abbreviation such as `CST` names several zones.

/// A time as a log states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) us: i64,
    /// The log says that it is UTC, or states an offset or an epoch.
    pub(super) exact: bool,
}

const SECOND: i64 = 1_000_000;

/// `YYYY-MM-DD HH:MM:SS[.fff] ZONE` at the start of `bytes`; the number says how long it is, zone included.
pub(super) fn postgres(bytes: &[u8]) -> Option<(Moment, usize)> {
    let (us, length) = civil(bytes, b"____-__-__ __:__:__")?;
    let (fraction, fraction_length) = fraction(&bytes[length..]);
    let zone_at = length + fraction_length + 1;
    if bytes.get(zone_at - 1) != Some(&b' ') {
        return None;
    }
    let zone_length = bytes[zone_at..].iter().take(33).take_while(|byte| is_zone(**byte)).count();
    if !(1..=32).contains(&zone_length) {
        return None;
    }
    let zone = &bytes[zone_at..zone_at + zone_length];
    let moment = Moment { us: us + fraction, exact: zone == b"UTC" || zone == b"GMT" };
    Some((moment, zone_at + zone_length))
}

/// A letter of a zone's abbreviation, as in `UTC`, `+03` and `Etc/GMT-3`.
pub(super) fn is_zone(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_' | b'/' | b'<' | b'>')
}

/// The whole of `field`: `YYYYMMDD HH:MM:SS`, an epoch of 16 digits (Aurora MySQL: microseconds), or ISO 8601 as MariaDB 12
/// may be told to write; the first and last may have a fraction.
pub(super) fn server_audit(field: &[u8]) -> Option<Moment> {
    if field.len() == 16 && field.iter().all(u8::is_ascii_digit) {
        return Some(Moment { us: digits(field)?, exact: true });
    }
    let (us, length) = civil(field, b"________ __:__:__")
        .or_else(|| civil(field, b"____-__-__ __:__:__"))
        .or_else(|| civil(field, b"____-__-__T__:__:__"))?;
    let (fraction, fraction_length) = fraction(&field[length..]);
    let us = us + fraction;
    match field.get(length + fraction_length..)? {
        [] => Some(Moment { us, exact: false }),
        [b'Z'] => Some(Moment { us, exact: true }),
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let minutes = digits(hours)? * 60 + digits(&[*tens, *ones])?;
            let offset = minutes * 60 * SECOND;
            Some(Moment { us: if *sign == b'+' { us - offset } else { us + offset }, exact: true })
        }
        _ => None,
    }
}

/// A date and time at the start of `bytes`; `_` in the pattern stands for a digit.
fn civil(bytes: &[u8], pattern: &[u8]) -> Option<(i64, usize)> {
    let head = bytes.get(..pattern.len())?;
    let mut numbers = [0_u8; 14];
    let mut count = 0;
    for (&byte, &wanted) in head.iter().zip(pattern) {
        if wanted == b'_' {
            if !byte.is_ascii_digit() {
                return None;
            }
            *numbers.get_mut(count)? = byte;
            count += 1;
        } else if byte != wanted {
            return None;
        }
    }
    let part = |from: usize, to: usize| numbers.get(from..to).and_then(digits);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let valid = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds * SECOND, pattern.len()))
}

/// `.` and up to nine digits, in microseconds, with its length; nothing when there is none.
fn fraction(bytes: &[u8]) -> (i64, usize) {
    let [b'.', rest @ ..] = bytes else { return (0, 0) };
    let mut us = 0;
    let mut unit = SECOND / 10;
    let mut length = 0;
    for &byte in rest.iter().take(9).take_while(|byte| byte.is_ascii_digit()) {
        us += i64::from(byte - b'0') * unit;
        unit /= 10;
        length += 1;
    }
    if length == 0 { (0, 0) } else { (us, length + 1) }
}

/// At most 18 digits and nothing else.
pub(super) fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    bytes
        .iter()
        .try_fold(0_i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar; the year is counted from March, so that a leap day is last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(us: i64) -> Moment {
        Moment { us, exact: true }
    }

    #[test]
    fn postgres_times() {
        assert_eq!(postgres(b"1970-01-02 00:00:01 UTC:x"), Some((utc(86_401_000_000), 23)));
        assert_eq!(postgres(b"2000-02-29 00:00:00.125 GMT [3]"), Some((utc(951_782_400_125_000), 27)));
        let local = postgres(b"1970-01-01 00:00:00.5 +03,").unwrap();
        assert_eq!(local, (Moment { us: 500_000, exact: false }, 25));
        for wrong in [
            "2001-02-29 00:00:00 UTC",
            "2001-02-28 24:00:00 UTC",
            "2001-02-28 00:00:00",
            "2001-02-28 00:00:00 :",
        ] {
            assert_eq!(postgres(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn server_audit_times() {
        assert_eq!(server_audit(b"19700101 00:00:01"), Some(Moment { us: 1_000_000, exact: false }));
        assert_eq!(server_audit(b"1703817810074458"), Some(utc(1_703_817_810_074_458)));
        assert_eq!(server_audit(b"1970-01-01T01:00:00.000001+01:00"), Some(utc(1)));
        assert_eq!(server_audit(b"1970-01-01 00:00:00Z"), Some(utc(0)));
        for wrong in ["", "TIME", "19700101 00:00:01 ", "170381781007445", "17038178100744581"] {
            assert_eq!(server_audit(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn days_agree_with_a_calendar(day in -300_000_i32..2_000_000) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let found = days_since_epoch(date.year().into(), date.month().into(), date.day().into());
            prop_assert_eq!(found, i64::from(day));
            prop_assert_eq!(days_in(date.year().into(), date.month().into()), i64::from(date.days_in_month()));
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            postgres(&bytes);
            server_audit(&bytes);
        }
    }
}
