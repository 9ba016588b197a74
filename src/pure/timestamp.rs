//! Times in payloads: ISO 8601 as PostgreSQL writes it for JSON, in the time zone of whoever wrote it. Pure.

/// Microseconds since 2000-01-01 UTC; None for what PostgreSQL does not write.
pub fn parse(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let year = if before_christ { 1 - year } else { year };
    let zone = time.find(['+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let [hour, minute, second] = numbers(time, ':')?;
    let micros = if fraction.is_empty() { 0 } else { format!("{fraction:0<6}").parse::<i64>().ok()? };
    let (sign, zone) = (if zone.starts_with('-') { -1 } else { 1 }, &zone[1..]);
    let mut offset = [0; 3];
    for (index, part) in zone.split(':').enumerate() {
        *offset.get_mut(index)? = number(part)?;
    }
    let seconds = |[hours, minutes, seconds]: [i64; 3]| hours * 3600 + minutes * 60 + seconds;
    let seconds = days(year, month, day) * 86_400 + seconds([hour, minute, second]) - sign * seconds(offset);
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parts: Option<Vec<i64>> = text.split(separator).map(number).collect();
    parts?.try_into().ok()
}

/// Small enough to reckon with.
fn number(text: &str) -> Option<i64> {
    text.parse::<i32>().ok().map(i64::from)
}

/// Days since 2000-01-01 in the Gregorian calendar, which repeats every 400 years; a year begins in March here, so that the
/// leap day is its last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    const FROM_MARCH_0000: i64 = 730_425;
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - FROM_MARCH_0000
}

/// A time in UTC, to the second unless a fraction is asked for: `2026-01-05 09:00:00`.
pub fn text(micros: i64, fraction: bool) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    let (day, of_day) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = date(day);
    let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
    let era = if year > 0 { "" } else { " BC" };
    let year = if year > 0 { year } else { 1 - year };
    let [hour, minute, second] = [seconds / 3600, seconds / 60 % 60, seconds % 60];
    let millis = if fraction { format!(".{:03}", micros / 1000) } else { String::new() };
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{millis}{era}")
}

/// The inverse of `days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 730_425;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * of_year + of_year / 4 - of_year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + of_year + i64::from(month <= 2), month, day)
}

/// How long something took, in the two largest units that say anything: `3 min 20 s`.
pub fn span(micros: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms")];
    let micros = micros.max(0);
    let Some(largest) = UNITS.iter().position(|(size, _)| micros >= *size) else { return format!("{micros} us") };
    let (size, unit) = UNITS[largest];
    if unit == "ms" || (unit == "s" && micros >= 10 * size) {
        return format!("{} {unit}", micros / size);
    }
    if unit == "s" {
        return format!("{}.{} s", micros / size, micros % size / 100_000);
    }
    let (less, unit_of_less) = UNITS[largest + 1];
    match micros % size / less {
        0 => format!("{} {unit}", micros / size),
        rest => format!("{} {unit} {rest} {unit_of_less}", micros / size),
    }
}
