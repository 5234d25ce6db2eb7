//! The contract: the clauses of `docs/spec`, as cases cite them.
//!
//! A clause is a paragraph that opens with its head, `**ID** [LEVEL; tag; …] text`, and may be
//! followed by a list or a table that belongs to it. In the sheet of attacks each table row whose
//! first column is an id is one (`docs/spec/README.md`).

use std::{collections::BTreeMap, sync::LazyLock};

use include_dir::{Dir, include_dir};

use crate::transcript::model::Level;

/// The sheets the program carries.
static SHEETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../docs/spec");

/// A rule of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its id.
    pub id: String,
    /// How strong it is.
    pub level: Level,
    /// Where it comes from, and whether the C program departs from it.
    pub tags: Vec<String>,
    /// What it says: the paragraph on one line, then the lines of its list or table.
    pub text: String,
    /// The sheet, as a person finds it.
    pub file: String,
    /// The line of its head, from 1.
    pub line: usize,
}

impl Clause {
    /// The name of the sheet, without folder and ending.
    pub fn sheet(&self) -> &str {
        let name = self.file.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".md").unwrap_or(name)
    }

    /// The text up to the end of the sentence that passes `most` characters, or cut there.
    pub fn short(&self, most: usize) -> String {
        let first = self.text.lines().next().unwrap_or_default();
        if first.chars().count() <= most {
            return first.into();
        }
        let cut: String = first.chars().take(most).collect();
        match cut.rfind(". ").filter(|end| *end > most / 3) {
            Some(end) => format!("{} …", &cut[..=end]),
            None => format!("{} …", cut.rsplit_once(' ').map_or(&*cut, |(head, _)| head)),
        }
    }
}

/// All clauses.
#[derive(Debug, Default)]
pub struct Spec {
    clauses: BTreeMap<String, Clause>,
    /// What is wrong with the sheets.
    pub faults: Vec<Fault>,
}

/// Something in a sheet that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The sheet.
    pub file: String,
    /// The line, from 1; 0 if it concerns the whole sheet.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Spec {
    /// The contract the program carries.
    pub fn embedded() -> &'static Self {
        static SPEC: LazyLock<Spec> = LazyLock::new(|| {
            let mut spec = Spec::default();
            for file in SHEETS.files() {
                let name = format!("docs/spec/{}", file.path().display());
                match file.contents_utf8() {
                    Some(source) if name.ends_with(".md") => spec.add(&name, source),
                    Some(_) => {}
                    None => spec.fault(&name, 0, "not UTF-8".into()),
                }
            }
            spec
        });
        &SPEC
    }

    /// Adds the clauses of one sheet; what is not understood goes to `faults`.
    pub fn add(&mut self, file: &str, source: &str) {
        let mut lines = source.lines().enumerate().map(|(i, text)| (i + 1, text)).peekable();
        let mut fenced = false;
        while let Some((number, line)) = lines.next() {
            fenced ^= line.starts_with("```");
            if fenced {
                continue;
            }
            match head(line) {
                Head::None => {}
                Head::Wrong(what) => self.fault(file, number, what),
                Head::Row(id, text) => self.keep(id, Level::Must, Vec::new(), text, file, number),
                Head::Paragraph { id, level, tags, text } => {
                    let mut text = text.trim().to_string();
                    while let Some((_, more)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
                        let apart = if belongs_below(more) || more.starts_with("  ") { '\n' } else { ' ' };
                        text.push(apart);
                        text.push_str(if apart == ' ' { more.trim() } else { more });
                    }
                    // One blank line may stand between a clause and its list or table.
                    let mut ahead = lines.clone();
                    while ahead.next_if(|(_, line)| line.trim().is_empty()).is_some() {}
                    if ahead.peek().is_some_and(|(_, line)| belongs_below(line)) {
                        lines = ahead;
                        while let Some((_, more)) = lines.next_if(|(_, line)| !line.trim().is_empty()) {
                            text.push('\n');
                            text.push_str(more);
                        }
                    }
                    self.keep(id, level, tags, text, file, number);
                }
            }
        }
    }

    fn keep(&mut self, id: &str, level: Level, tags: Vec<String>, text: String, file: &str, line: usize) {
        let clause = Clause { id: id.into(), level, tags, text, file: file.into(), line };
        if let Some(first) = self.clauses.get(id) {
            let what = format!("{id} is already at {}:{}", first.file, first.line);
            self.fault(file, line, what);
        } else {
            self.clauses.insert(id.into(), clause);
        }
    }

    fn fault(&mut self, file: &str, line: usize, what: String) {
        self.faults.push(Fault { file: file.into(), line, what });
    }

    /// The clause of this id.
    pub fn get(&self, id: &str) -> Option<&Clause> {
        self.clauses.get(id)
    }

    /// All clauses in the order of the sheets.
    pub fn clauses(&self) -> Vec<&Clause> {
        let mut all: Vec<&Clause> = self.clauses.values().collect();
        all.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        all
    }
}

/// What a line opens.
enum Head<'a> {
    /// No clause.
    None,
    /// Something that looks like one and is not.
    Wrong(String),
    /// A row of a table.
    Row(&'a str, String),
    /// A paragraph.
    Paragraph { id: &'a str, level: Level, tags: Vec<String>, text: &'a str },
}

fn head(line: &str) -> Head<'_> {
    if line.starts_with('|') {
        let cells = cells(line);
        return match cells.split_first() {
            Some((id, rest)) if is_id(id) => Head::Row(id, rest.join(" · ")),
            _ => Head::None,
        };
    }
    let Some((id, rest)) = line.strip_prefix("**").and_then(|rest| rest.split_once("**")) else {
        return Head::None;
    };
    if !is_id(id) {
        return Head::None;
    }
    let Some((inside, text)) = rest.strip_prefix(" [").and_then(|rest| rest.split_once(']')) else {
        return Head::Wrong(format!("{id}: a head is `**ID** [LEVEL; tag; …] text`"));
    };
    let mut words = inside.split(';').map(str::trim);
    let level = match words.next() {
        Some("must") => Level::Must,
        Some("should") => Level::Should,
        Some("may") => Level::May,
        other => return Head::Wrong(format!("{id}: `{}` is no level", other.unwrap_or_default())),
    };
    Head::Paragraph { id, level, tags: words.map(str::to_string).collect(), text }
}

/// `[A-Z][A-Z0-9]*(-[A-Z][A-Z0-9]*)*-[0-9]+`
pub fn is_id(text: &str) -> bool {
    let Some((prefix, number)) = text.rsplit_once('-') else { return false };
    let word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    prefix.split('-').all(word) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a line begins a list or a table.
fn belongs_below(line: &str) -> bool {
    let numbered =
        line.split_once(". ").is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    line.starts_with("| ") && !cells(line).first().is_some_and(|cell| is_id(cell))
        || line.starts_with("|-")
        || line.starts_with("- ")
        || numbered
}

/// The cells of a table row; a bar inside backticks or behind a backslash divides nothing.
fn cells(row: &str) -> Vec<&str> {
    let inner = row.trim().trim_start_matches('|');
    let (mut cells, mut start, mut code, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in inner.char_indices() {
        match c {
            '`' => code = !code,
            '|' if !code && !escaped => {
                cells.push(inner[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHEET: &str = "\
# A sheet

**X-A-1** [must; deviation; docs: x] First
line of it.

- a point
  of it

Not of it.

**X-2** [may] Free. Do not test.
Second sentence.

```
**X-3** [must] in a fence
```

| id | attack | bytes |
|---|---|---|
| SEC-1 | bar | `a|b` |
";

    #[test]
    fn a_clause_has_its_list_and_ends_there() {
        let mut spec = Spec::default();
        spec.add("docs/spec/x.md", SHEET);
        assert_eq!(spec.faults, []);
        let ids: Vec<&str> = spec.clauses().iter().map(|clause| clause.id.as_str()).collect();
        assert_eq!(ids, ["X-A-1", "X-2", "SEC-1"]);
        let first = spec.get("X-A-1").unwrap();
        assert_eq!(first.text, "First line of it.\n- a point\n  of it");
        assert_eq!((first.level, first.line, first.sheet()), (Level::Must, 3, "x"));
        assert_eq!(first.tags, ["deviation", "docs: x"]);
        assert_eq!(spec.get("SEC-1").unwrap().text, "bar · `a|b`");
        assert_eq!(spec.get("X-2").unwrap().text, "Free. Do not test. Second sentence.");
    }

    #[test]
    fn a_wrong_head_and_a_second_one_are_faults() {
        let mut spec = Spec::default();
        spec.add(
            "s.md",
            "**X-1** [sometimes] x\n\n**X-2** no level\n\n**X-3** [must] a\n\n**X-3** [may] b\n",
        );
        let faults: Vec<(usize, &str)> = spec.faults.iter().map(|f| (f.line, f.what.as_str())).collect();
        let expected = [
            (1, "X-1: `sometimes` is no level"),
            (3, "X-2: a head is `**ID** [LEVEL; tag; …] text`"),
            (7, "X-3 is already at s.md:5"),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn the_embedded_contract_is_understood() {
        let spec = Spec::embedded();
        assert_eq!(spec.faults, []);
        for (id, sheet) in [("CORE-ARG-1", "10-core"), ("QDIR-4", "60-backends"), ("SEC-1", "80-security")] {
            assert_eq!(spec.get(id).map(Clause::sheet), Some(sheet));
        }
    }

    #[test]
    fn shortening_prefers_the_end_of_a_sentence() {
        let clause = |text: &str| Clause {
            id: "X-1".into(),
            level: Level::Must,
            tags: Vec::new(),
            text: text.into(),
            file: "x.md".into(),
            line: 1,
        };
        assert_eq!(clause("A b c. D e f g h i.").short(10), "A b c. …");
        assert_eq!(clause("One two three four.").short(9), "One two …");
        assert_eq!(clause("Short.").short(9), "Short.");
    }
}
