//! Arguments and `$PLUGINS` made up at random.

use proptest::{
    collection::vec,
    option,
    sample::select,
    strategy::{Strategy, Union},
};

/// The plugin lists of one start, as items (PLUG-LIST-1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    /// The arguments behind protocol and backend.
    pub arguments: Vec<Vec<&'static str>>,
    /// `$PLUGINS`, if set.
    pub plugins: Option<Vec<&'static str>>,
}

/// Most arguments made up.
const ARGUMENTS_MAX: usize = 4;
/// Most items made up for one argument or `$PLUGINS`.
const ITEMS_MAX: usize = 6;

/// The items lists are made of, each group with how often one of its members is taken.
pub type Vocabulary = &'static [(u32, &'static [&'static str])];

impl Lists {
    /// Lists over a vocabulary. An earlier group is the simpler one when a failure is made small.
    pub fn over(vocabulary: Vocabulary) -> impl Strategy<Value = Self> {
        let groups = vocabulary.iter().map(|(weight, items)| (*weight, select(*items)));
        let list = vec(Union::new_weighted(groups.collect()), 0..=ITEMS_MAX);
        (vec(list.clone(), 0..=ARGUMENTS_MAX), option::of(list))
            .prop_map(|(arguments, plugins)| Self { arguments, plugins })
    }

    /// All items, in the order they are gone through.
    pub fn items(&self) -> impl Iterator<Item = &'static str> {
        self.arguments.iter().chain(&self.plugins).flatten().copied()
    }

    /// The command `mailfront smtp echo` with the arguments, as the head of a transcript has it.
    pub fn command(&self) -> String {
        let mut command = String::from("mailfront smtp echo");
        for items in &self.arguments {
            let word = items.join(":");
            let plain = !word.is_empty() && !word.contains(' ');
            command.push_str(&if plain { format!(" {word}") } else { format!(" '{word}'") });
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_and_blanks_are_quoted() {
        let lists = Lists { arguments: vec![vec!["a", "", "-b"], vec![], vec![" a"]], plugins: None };
        assert_eq!(lists.command(), "mailfront smtp echo a::-b '' ' a'");
    }
}
