//! The documents hold together: relative links lead somewhere, and the guide's examples are cases.
#![allow(clippy::expect_used, reason = "a test that cannot be set up fails with the reason")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use mailfront_tests::repository;

/// All Markdown files of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository(), repository().join("docs")];
    let mut seen = Vec::new();
    while let Some(folder) = folders.pop() {
        if seen.contains(&folder) {
            continue;
        }
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() && folder.ends_with("docs") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
        seen.push(folder);
    }
    found
}

/// The targets of inline links outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let plain = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        for rest in plain.split("](").skip(1).filter(|_| !fenced) {
            if let Some((link, _)) = rest.split_once(')') {
                links.push((number + 1, link.to_string()));
            }
        }
    }
    links
}

/// The anchor GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

#[test]
fn relative_links_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() > 5, "the documents were not found");
    let mut broken = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).expect("UTF-8");
        for (line, link) in links(&text).into_iter().filter(|(_, link)| !link.contains("://")) {
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let place = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap_or(Path::new("")).join(path)
            };
            let found = place.exists()
                && (fragment.is_empty()
                    || fs::read_to_string(&place).is_ok_and(|t| {
                        t.lines().any(|line| line.starts_with('#') && anchor(line) == fragment)
                    }));
            if !found {
                broken.push(format!("{}:{line}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_guides_example_is_a_case() {
    let guide = fs::read_to_string(repository().join("docs/guide/transcripts.md")).expect("the guide");
    let example = guide.split("```\n").find(|block| block.starts_with("+++")).expect("an example");
    let case = mailfront_conformance::transcript::parse("guide", example).expect("it can be read");
    assert_eq!(case.front.clauses, ["SMTP-DATA-11"]);
}
