//! The rules file of plugin `mailrulesx`: sections of rules, each some conditions, an action and some
//! assignments, one a line (RULESX-FILE-4, RULESX-SECT, RULESX-RULE, RULESX-COND).
//!
//! Reading opens nothing: a list is a name here, and whoever opens it puts something else in its place.

mod lines;
mod template;
mod wildcard;

use std::fmt;

use bstr::BString;

pub use self::{
    template::{Piece, Template},
    wildcard::Wildcard,
};
use super::rule_text::{self, ListName, Place};

/// The events that a rule applies to (RULESX-SECT-1, -2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Before any section line: senders and recipients.
    None,
    /// `[connect]`
    Connect,
    /// `[sender]`
    Sender,
    /// `[recipient]`
    Recipient,
}

/// What a rule knows of the session (RULESX-VAR-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// Whether the client has authenticated itself.
    Authenticated,
    /// The envelope sender.
    Sender,
    /// The current recipient.
    Recipient,
    /// The current size limit.
    DataBytes,
    /// Any other name.
    Environment(BString),
}

impl Variable {
    /// The variable of a name.
    fn named(name: &[u8]) -> Self {
        match name {
            b"authenticated" => Self::Authenticated,
            b"sender" => Self::Sender,
            b"recipient" => Self::Recipient,
            b"databytes" => Self::DataBytes,
            _ => Self::Environment(name.into()),
        }
    }
}

/// What must be true for a rule to match. `L` is a list: its name, or the list once it is open.
#[derive(Debug, Clone)]
pub struct Condition<L = ListName> {
    /// Where it begins.
    pub place: Place,
    /// Whether it is true if it is false.
    pub negated: bool,
    /// What is looked at.
    pub variable: Variable,
    /// What it must be.
    pub test: Test<L>,
}

/// What a variable must be; all but the first are false if it is not defined.
#[derive(Debug, Clone)]
pub enum Test<L> {
    /// Defined.
    Defined,
    /// This value.
    Equals(BString),
    /// A value that looks so.
    Looks(Wildcard),
    /// In this list.
    Listed(L),
}

/// What a rule does with a sender or recipient (RULESX-ACT-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Makes its assignments; the walk goes on.
    NoOp,
    /// Ends the walk without an opinion.
    Pass,
    /// Takes it.
    Accept,
    /// Refuses it for now.
    Defer,
    /// Refuses it for good.
    Reject,
    /// Refuses the message for now.
    DeferAll,
    /// Refuses the message for good.
    RejectAll,
}

/// A line behind the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// `NAME=VALUE`; never of [`Variable::Authenticated`].
    Set(Variable, Template),
    /// `!NAME`
    Unset(BString),
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule<L = ListName> {
    /// When it is tried.
    pub section: Section,
    /// All must be true.
    pub conditions: Vec<Condition<L>>,
    /// Where the action stands.
    pub place: Place,
    /// What it does.
    pub action: Action,
    /// What the client is told; empty for the default.
    pub message: Template,
    /// What it sets, with their places.
    pub assignments: Vec<(Place, Assignment)>,
}

impl<L> Rule<L> {
    /// The rule with its lists opened.
    ///
    /// # Errors
    /// That of `open`.
    pub fn open<M, E>(self, mut open: impl FnMut(Place, L) -> Result<M, E>) -> Result<Rule<M>, E> {
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for Condition { place, negated, variable, test } in self.conditions {
            let test = match test {
                Test::Defined => Test::Defined,
                Test::Equals(value) => Test::Equals(value),
                Test::Looks(pattern) => Test::Looks(pattern),
                Test::Listed(list) => Test::Listed(open(place, list)?),
            };
            conditions.push(Condition { place, negated, variable, test });
        }
        let Self { section, place, action, message, assignments, .. } = self;
        Ok(Rule { section, conditions, place, action, message, assignments })
    }
}

/// What is wrong with a file, and where.
pub type Fault = rule_text::Fault<Cause>;

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An unknown section (RULESX-SECT-1).
    Section,
    /// No name where one must stand (RULESX-COND-1).
    Name,
    /// A name with something else than `=` or `~` behind it.
    Operator,
    /// An unknown action (RULESX-ACT-1).
    Action,
    /// Conditions without an action (RULESX-RULE-1).
    NoAction,
    /// A second action.
    TwoActions,
    /// An assignment of what cannot be assigned (RULESX-SET-1, -4).
    Assignment,
    /// A size limit that is no number (RULESX-SET-3).
    DataBytes,
    /// `${` without a name and `}` (RULESX-SUBST-1).
    Substitution,
    /// An octal escape that is no byte, or NUL (RULES-ESC-4).
    Octal,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section => "a section is `[connect]`, `[sender]` or `[recipient]`",
            Self::Name => "here must stand the name of a variable",
            Self::Operator => "behind a name stands `=`, in a condition `~` too, or nothing",
            Self::Action => "an action is ACCEPT, DEFER, REJECT, DEFER-ALL, REJECT-ALL, PASS or NO-OP",
            Self::NoAction => "the rule has no action",
            Self::TwoActions => "the rule has an action already",
            Self::Assignment => "this variable cannot be changed so",
            Self::DataBytes => "databytes must be decimal digits",
            Self::Substitution => "`${` must be followed by a name and `}`",
            Self::Octal => "an octal escape must be one of \\001 to \\377",
        })
    }
}

/// The rules of a file in their order, each a value or what is wrong with it. After a fault reading goes
/// on with the next line, as far as it makes sense.
pub fn rules(file: &[u8]) -> Vec<Result<Rule, Fault>> {
    let mut reader = lines::Reader::new();
    for line in rule_text::lines(file) {
        reader.line(line);
    }
    reader.end()
}

#[cfg(test)]
mod tests;
