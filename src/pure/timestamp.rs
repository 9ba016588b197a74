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
