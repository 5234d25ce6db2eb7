//! Texts with variables in them (RULESX-SUBST-1).

use bstr::BString;

use super::Variable;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes.
    Text(BString),
    /// The value of a variable, nothing if it is not defined.
    Variable(Variable),
}

/// A text as a rule has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Its parts in their order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether it has no part.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, if there is no variable in it.
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.0[..] {
            [] => Some(b""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends a byte.
    pub(super) fn push(&mut self, byte: u8) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push(byte),
            _ => self.0.push(Piece::Text(vec![byte].into())),
        }
    }

    /// Appends a variable.
    pub(super) fn push_variable(&mut self, variable: Variable) {
        self.0.push(Piece::Variable(variable));
    }
}
