//! Profiles: named selections of cases, kept as data in `fixtures/profiles/NAME.toml`. Each row says
//! which section it answers.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;

use crate::{
    cases,
    cases::Cases,
    transcript::{Case, model::Level},
};

/// A named selection of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is about, in one sentence.
    pub title: String,
    /// Its rows, in the order of the document they follow.
    pub row: Vec<Row>,
}

/// What of a document is answered by which cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The section, such as `RFC 6409 4.2`.
    pub section: String,
    /// Globs of case ids.
    pub cases: Vec<String>,
    /// Only cases at least so strong; all, if it is left out.
    #[serde(default)]
    pub level: Option<Level>,
    #[serde(skip)]
    globs: GlobSet,
}

impl Profile {
    /// The profile `name` of the program.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = cases::embedded_profiles();
        let source = known.iter().find(|(known, _)| known == name).map(|(_, source)| *source);
        let source = source.ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            format!("profile {name}: none of {}", names.join(", "))
        })?;
        Self::parse(source).map_err(|e| format!("profile {name}: {e}"))
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut profile: Self = toml::from_str(source).map_err(|e| e.to_string().trim_end().to_string())?;
        for row in &mut profile.row {
            let mut set = GlobSetBuilder::new();
            for glob in &row.cases {
                set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(|e| e.to_string())?);
            }
            row.globs = set.build().map_err(|e| e.to_string())?;
        }
        Ok(profile)
    }

    /// The first row that has a case.
    pub fn row(&self, case: &Case) -> Option<&Row> {
        self.row.iter().find(|row| row.has(case))
    }

    /// Sections of rows that no case answers.
    pub fn unanswered<'p>(&'p self, cases: &Cases) -> impl Iterator<Item = &'p str> {
        let dead = self.row.iter().filter(|row| !cases.cases.iter().any(|case| row.has(case)));
        dead.map(|row| row.section.as_str())
    }
}

impl Row {
    fn has(&self, case: &Case) -> bool {
        self.level.is_none_or(|level| case.front.level >= level) && self.globs.is_match(&case.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_of_the_program_is_right_and_each_of_its_rows_has_a_case() {
        let cases = Cases::embedded();
        let names = cases::embedded_profiles();
        assert!(!names.is_empty());
        for (name, _) in names {
            let profile = Profile::named(&name).unwrap();
            let unanswered: Vec<&str> = profile.unanswered(&cases).collect();
            assert!(unanswered.is_empty(), "{name}: {unanswered:?}");
        }
    }

    #[test]
    fn a_row_has_the_cases_of_its_globs_that_are_strong_enough() {
        let source = "title = 'x'\n[[row]]\nsection = 'RFC 1 2'\ncases = ['smtp/*']\nlevel = 'must'\n";
        let profile = Profile::parse(source).unwrap();
        let mut case = Case { id: "smtp/a".into(), ..Case::default() };
        assert_eq!(profile.row(&case).unwrap().section, "RFC 1 2");
        case.front.level = Level::Should;
        assert!(profile.row(&case).is_none());
        assert_eq!(profile.unanswered(&Cases::default()).collect::<Vec<_>>(), ["RFC 1 2"]);
        assert!(Profile::parse(&source.replace("smtp/*", "smtp/[")).is_err());
        assert!(Profile::parse(&source.replace("level", "lvl")).is_err());
    }
}
