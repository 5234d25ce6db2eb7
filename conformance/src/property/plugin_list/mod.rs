//! The property of plugin lists: whatever the arguments and `$PLUGINS` say, the plugins that run are
//! those of the model, in its order, and messages have temporary files if the model says so.
//!
//! [`lists`] makes up arguments and `$PLUGINS`, [`model`] says what they amount to, and [`probes`] and
//! [`built_ins`] write the transcript in which a target shows it: through modules of ours, or through
//! which of its own plugins answers first.

pub mod built_ins;
pub mod lists;
pub mod model;
pub mod probes;
mod transcript;

use proptest::strategy::{BoxedStrategy, Strategy as _};

pub use lists::Lists;

/// How the order of the plugins is seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Witness {
    /// By probe modules, which show every place of the list and the need for a file.
    Probes,
    /// By the built-in plugins, of which the first that refuses or accepts is seen.
    BuiltIns,
}

/// What is made up: the lists and what the plugins in them are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// For [`Witness::Probes`].
    Probes(probes::Input),
    /// For [`Witness::BuiltIns`].
    BuiltIns(built_ins::Input),
}

impl Witness {
    /// What it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Probes => "probes",
            Self::BuiltIns => "built-in plugins",
        }
    }

    /// Inputs whose effect this witness shows.
    pub fn strategy(self) -> BoxedStrategy<Input> {
        match self {
            Self::Probes => probes::inputs().prop_map(Input::Probes).boxed(),
            Self::BuiltIns => built_ins::inputs().prop_map(Input::BuiltIns).boxed(),
        }
    }
}

impl Input {
    /// The transcript that shows whether a target does with this input what the model says.
    pub fn transcript(&self) -> String {
        match self {
            Self::Probes(input) => input.transcript(model::load),
            Self::BuiltIns(input) => input.transcript(model::load),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        model::{Loaded, Model, Unloadable, load},
        *,
    };
    use crate::{property::Search, transcript};

    type Items<'a> = &'a [&'static str];
    type Plugins<'a> = &'a dyn Fn(&str) -> Option<bool>;

    /// Leaves a plugin that is named again where it is.
    fn repeats_stay(items: Items<'_>, plugins: Plugins<'_>) -> Result<Loaded, Unloadable> {
        let mut kept: Vec<&'static str> = Vec::new();
        for item in items {
            let name = item.strip_prefix('+').unwrap_or(item);
            let named = |kept: &&str| kept.strip_prefix('+').unwrap_or(kept) == name;
            if item.starts_with('-') || !kept.iter().any(named) {
                kept.push(item);
            }
        }
        load(&kept, plugins)
    }

    /// Takes the need for a file back with the plugin.
    fn need_goes_with_its_plugin(items: Items<'_>, plugins: Plugins<'_>) -> Result<Loaded, Unloadable> {
        let loaded = load(items, plugins)?;
        let need_file = loaded.order.iter().any(|name| plugins(name) == Some(true));
        Ok(Loaded { need_file, ..loaded })
    }

    /// Takes every leading `-` for the operator.
    fn all_dashes_are_operators(items: Items<'_>, plugins: Plugins<'_>) -> Result<Loaded, Unloadable> {
        let one = |item: &&'static str| if item.starts_with("--") { &item[1..] } else { item };
        load(&items.iter().map(one).collect::<Vec<_>>(), plugins)
    }

    /// Goes on behind a plugin that is not there.
    fn passes_over_what_is_missing(items: Items<'_>, plugins: Plugins<'_>) -> Result<Loaded, Unloadable> {
        let there = |item: &&&'static str| {
            item.starts_with('-') || plugins(item.strip_prefix('+').unwrap_or(item)).is_some()
        };
        load(&items.iter().filter(there).copied().collect::<Vec<_>>(), plugins)
    }

    /// Takes `+` for a part of nothing.
    fn front_is_back(items: Items<'_>, plugins: Plugins<'_>) -> Result<Loaded, Unloadable> {
        let back = |item: &&'static str| item.strip_prefix('+').unwrap_or(item);
        load(&items.iter().map(back).collect::<Vec<_>>(), plugins)
    }

    fn counterexample(witness: Witness, wrong: Model) -> Option<Input> {
        let holds = |input: &Input| {
            let theirs = match input {
                Input::Probes(input) => input.transcript(wrong),
                Input::BuiltIns(input) => input.transcript(wrong),
            };
            let agree = theirs == input.transcript();
            Ok(if agree { Ok(()) } else { Err("they differ".to_string()) })
        };
        let found = Search { cases: 1000, seed: 1, jobs: 1 }.run(|| witness.strategy(), holds).unwrap();
        found.map(|found| found.input)
    }

    #[test]
    fn a_wrong_model_is_found_out_by_few_items() {
        let wrong: [(Model, usize); 5] = [
            (repeats_stay, 3),
            (need_goes_with_its_plugin, 3),
            (all_dashes_are_operators, 2),
            (passes_over_what_is_missing, 1),
            (front_is_back, 2),
        ];
        for (number, (model, most)) in wrong.into_iter().enumerate() {
            let Some(Input::Probes(found)) = counterexample(Witness::Probes, model) else {
                panic!("1000 lists agree with wrong model {number}");
            };
            assert!(found.lists.items().count() <= most, "wrong model {number}: {found:?}");
        }
    }

    #[test]
    fn built_in_plugins_find_it_out_too() {
        let wrong: [Model; 4] =
            [repeats_stay, need_goes_with_its_plugin, passes_over_what_is_missing, front_is_back];
        for (number, model) in wrong.into_iter().enumerate() {
            assert_ne!(counterexample(Witness::BuiltIns, model), None, "wrong model {number}");
        }
    }

    #[test]
    fn every_input_gives_a_transcript_that_can_be_read() {
        for witness in [Witness::Probes, Witness::BuiltIns] {
            let holds = |input: &Input| {
                let (source, read) = (input.transcript(), |source: &str| transcript::parse("x", source));
                let case = read(&source).map_err(|e| std::io::Error::other(e.to_string()))?;
                let printed = transcript::print(&case);
                let same =
                    read(&printed).is_ok_and(|again| (again.front, again.body) == (case.front, case.body));
                Ok(if same { Ok(()) } else { Err(printed) })
            };
            let found = Search { cases: 500, seed: 1, jobs: 1 }.run(|| witness.strategy(), holds).unwrap();
            assert_eq!(found, None);
        }
    }
}
