//! Dates of trace headers (RCVD-FMT-6; RFC 5322 section 3.3).

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days of 400 years, after which the calendar repeats itself.
const ERA: u64 = 146_097;

/// `DD Mon YYYY HH:MM:SS -0000` in UTC, for seconds since 1970.
pub fn trace(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let month = MONTHS.get(month).copied().unwrap_or_default();
    format!("{day:02} {month} {year} {hour:02}:{minute:02}:{second:02} -0000")
}

/// Year, month from 0 and day from 1 of a day counted from 1970-01-01. Years are counted from March,
/// so that the leap day is the last one of its year.
fn civil(days: u64) -> (u64, usize, u64) {
    // Days from 0000-03-01, cut into eras.
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March have 31, 30, 31, 30, 31 days, twice and a bit: 153 days are five of them.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let january = u64::from(month >= 10);
    let month = (month + 2) % 12;
    (year + era * 400 + january, usize::try_from(month).unwrap_or_default(), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        for (seconds, date) in [
            (0, "01 Jan 1970 00:00:00 -0000"),
            (951_782_399, "28 Feb 2000 23:59:59 -0000"),
            (951_782_400, "29 Feb 2000 00:00:00 -0000"),
            (951_868_800, "01 Mar 2000 00:00:00 -0000"),
            (1_735_689_599, "31 Dec 2024 23:59:59 -0000"),
            (1_785_542_400, "01 Aug 2026 00:00:00 -0000"),
            (4_107_542_400, "01 Mar 2100 00:00:00 -0000"),
            (4_107_542_399, "28 Feb 2100 23:59:59 -0000"),
            (253_402_300_799, "31 Dec 9999 23:59:59 -0000"),
        ] {
            assert_eq!(trace(seconds), date);
        }
        let _ends = trace(u64::MAX);
    }
}
