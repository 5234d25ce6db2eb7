//! The numbers as a table.

use std::fmt::Write as _;

use super::{
    Bench, Measured, Numbers, SMALL, limits,
    workload::{self, Taken},
};

/// Bytes of a megabyte, as the sizes of messages are named.
const MEGA: usize = 1_000_000;

/// The table, and below it the limits of the first target, each with what was seen.
pub fn table(bench: &Bench, numbers: &Numbers) -> String {
    let large = bench.large / MEGA;
    let mut rows = vec![header(numbers)];
    let true_micros = numbers.true_micros;
    let time = |micros: f64| format!("{micros:.0} µs  {:.2} ×", micros / true_micros);
    rows.push(row("session, one plugin (× /bin/true)", Some(time(true_micros)), numbers, |t| {
        time(t.session_micros)
    }));
    rows.push(row("session, seven plugins (× /bin/true)", None, numbers, |t| time(t.plugins_micros)));
    let first = numbers.targets.first();
    let name = first.map_or("", |target| &target.target);
    let costs = |nanos: fn(&Measured) -> f64| {
        let first = first.map_or(0.0, nanos);
        move |target: &Measured| format!("{:.3} ns  {:.2} ×", nanos(target), nanos(target) / first)
    };
    rows.push(row(&format!("a byte of {large} MB, echo (× {name})"), None, numbers, costs(|t| t.echo_nanos)));
    rows.push(row(
        &format!("a byte of {large} MB, queuedir (× {name})"),
        None,
        numbers,
        costs(|t| t.queuedir_nanos),
    ));
    let memory = |at: usize, kib: fn(&Measured) -> [u64; 2]| {
        move |target: &Measured| format!("{} KiB", kib(target)[at])
    };
    for (backend, kib) in
        [("echo", (|t| t.echo_kib) as fn(&Measured) -> [u64; 2]), ("queuedir", |t| t.queuedir_kib)]
    {
        for (at, size) in [SMALL / MEGA, large].into_iter().enumerate() {
            rows.push(row(&format!("memory, {size} MB, {backend}"), None, numbers, memory(at, kib)));
        }
    }
    for workload in workload::ALL {
        let name = workload.name;
        let cell = move |target: &Measured| {
            let shown = |taken: &Taken| format!("{:.1} ms  {} KiB", taken.millis, taken.kib);
            target.taken(name).map_or_else(|| "-".into(), shown)
        };
        rows.push(row(&format!("{name}: processor time, memory"), None, numbers, cell));
    }
    let mut out = aligned(&rows);
    out.push('\n');
    for limit in limits::of(numbers) {
        let (word, sign) = if limit.is_kept() { ("kept", "≤") } else { ("MISSED", ">") };
        let limits::Limit { what, seen, most, unit } = limit;
        let _ = writeln!(out, "{name}: {what}: {seen:.2} {sign} {most:.2} {unit}: {word}");
    }
    if numbers.targets.len() < 2 {
        let _ = writeln!(out, "{name}: processor time a byte: not compared, there is no second target");
    }
    out
}

fn header(numbers: &Numbers) -> Vec<String> {
    let names = numbers.targets.iter().map(|target| target.target.clone());
    [String::new(), super::TRUE.into()].into_iter().chain(names).collect()
}

fn row(
    what: &str,
    of_true: Option<String>,
    numbers: &Numbers,
    cell: impl Fn(&Measured) -> String,
) -> Vec<String> {
    let cells = numbers.targets.iter().map(cell);
    [what.to_string(), of_true.unwrap_or_default()].into_iter().chain(cells).collect()
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(out, "{cell:<width$}"),
                _ => write!(out, "  {cell:>width$}"),
            };
        }
        out.push('\n');
    }
    out
}
