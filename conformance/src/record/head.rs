//! The head of a recording.

/// The head as it stands, with `recorded` naming the target.
pub(super) fn head(source: &str, target: &str) -> String {
    let mut head = String::new();
    let mut set = false;
    let mut run_seen = false;
    let recorded = format!("recorded = {}\n", toml::Value::from(target));
    let has_line = source.lines().skip(1).take_while(|line| *line != "+++").any(is_recorded);
    for (at, line) in source.lines().enumerate() {
        if is_recorded(line) && !set {
            head.push_str(&recorded);
            set = true;
            continue;
        }
        if at > 0 && line == "+++" {
            break;
        }
        head.push_str(line);
        head.push('\n');
        if !has_line && !run_seen && line.starts_with("run") {
            run_seen = true;
            head.push_str(&recorded);
        }
    }
    head.push_str("+++\n");
    head
}

fn is_recorded(line: &str) -> bool {
    line.strip_prefix("recorded").is_some_and(|rest| rest.trim_start().starts_with('='))
}
