//! Reads a rules file line by line.

use bstr::BString;

use super::{Action, Assignment, Cause, Condition, Fault, Rule, Section, Template, Test, Variable, Wildcard};
use crate::wire::rule_text::{self, Line, ListName, Place};

/// The rules read so far, and the one being read.
pub(super) struct Reader {
    rules: Vec<Result<Rule, Fault>>,
    section: Section,
    part: Part,
    /// Whether the rule being read has a fault already: it will not be one.
    spoilt: bool,
}

/// How far a rule has come.
enum Part {
    /// Its first line is to come.
    Nothing,
    /// Conditions, from this place on.
    Conditions(Place, Vec<Condition>),
    /// Conditions and an action, perhaps assignments.
    Action(Rule),
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { rules: Vec::new(), section: Section::None, part: Part::Nothing, spoilt: false }
    }

    pub(super) fn line(&mut self, line: Line<'_>) {
        let read = match line.text.first() {
            None => {
                self.end_rule();
                Ok(())
            }
            Some(b'#') => Ok(()),
            Some(b'[') => self.section(line),
            Some(b':') => self.action(line),
            Some(_) => self.condition_or_assignment(line),
        };
        if let Err(fault) = read {
            self.rules.push(Err(fault));
            self.spoilt = true;
        }
    }

    /// All rules, once there are no more lines.
    pub(super) fn end(mut self) -> Vec<Result<Rule, Fault>> {
        self.end_rule();
        self.rules
    }

    fn end_rule(&mut self) {
        let spoilt = std::mem::take(&mut self.spoilt);
        match std::mem::replace(&mut self.part, Part::Nothing) {
            Part::Nothing => {}
            _ if spoilt => {}
            Part::Conditions(place, _) => self.rules.push(Err(Fault { place, cause: Cause::NoAction })),
            Part::Action(rule) => self.rules.push(Ok(rule)),
        }
    }

    fn section(&mut self, line: Line<'_>) -> Result<(), Fault> {
        self.end_rule();
        self.section = match line.text {
            b"[connect]" => Section::Connect,
            b"[sender]" => Section::Sender,
            b"[recipient]" => Section::Recipient,
            _ => return Err(Fault { place: line.place(0), cause: Cause::Section }),
        };
        Ok(())
    }

    fn action(&mut self, line: Line<'_>) -> Result<(), Fault> {
        if matches!(self.part, Part::Action(_)) {
            return Err(Fault { place: line.place(0), cause: Cause::TwoActions });
        }
        let rest = &line.text[1..];
        let end = memchr::memchr(b':', rest).unwrap_or(rest.len());
        let action = match &rest[..end] {
            b"NO-OP" => Action::NoOp,
            b"PASS" => Action::Pass,
            b"ACCEPT" => Action::Accept,
            b"DEFER" => Action::Defer,
            b"REJECT" => Action::Reject,
            b"DEFER-ALL" => Action::DeferAll,
            b"REJECT-ALL" => Action::RejectAll,
            _ => return Err(Fault { place: line.place(1), cause: Cause::Action }),
        };
        // Behind the second colon, if there is one.
        let message = Words { line, at: (end + 2).min(line.text.len()) }.template()?;
        let conditions = match std::mem::replace(&mut self.part, Part::Nothing) {
            Part::Conditions(_, conditions) => conditions,
            Part::Nothing | Part::Action(_) => Vec::new(),
        };
        let (section, place) = (self.section, line.place(0));
        self.part =
            Part::Action(Rule { section, conditions, place, action, message, assignments: Vec::new() });
        Ok(())
    }

    fn condition_or_assignment(&mut self, line: Line<'_>) -> Result<(), Fault> {
        let mut words = Words { line, at: 0 };
        match &mut self.part {
            Part::Action(rule) => rule.assignments.push((line.place(0), words.assignment()?)),
            Part::Conditions(_, conditions) => conditions.push(words.condition()?),
            Part::Nothing => self.part = Part::Conditions(line.place(0), vec![words.condition()?]),
        }
        Ok(())
    }
}

/// A line being read; `at` is the next byte.
struct Words<'a> {
    line: Line<'a>,
    at: usize,
}

impl Words<'_> {
    fn rest(&self) -> &[u8] {
        &self.line.text[self.at..]
    }

    fn fault(&self, cause: Cause) -> Fault {
        Fault { place: self.line.place(self.at), cause }
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        let bangs = self.rest().iter().take_while(|byte| **byte == b'!').count();
        self.at += bangs;
        // An example of the page has a `$` in front.
        self.at += usize::from(self.rest().starts_with(b"$"));
        let variable = self.variable()?;
        let operator = self.rest().first().copied();
        if operator.is_some() {
            self.at += 1;
        }
        let test = match operator {
            None => Test::Defined,
            Some(b'=') => Test::Equals(self.text()?),
            Some(b'~') => {
                let pattern = self.text()?;
                ListName::bracketed(&pattern)
                    .map_or_else(|| Test::Looks(Wildcard::new(&pattern)), Test::Listed)
            }
            Some(_) => {
                self.at -= 1;
                return Err(self.fault(Cause::Operator));
            }
        };
        Ok(Condition { place: self.line.place(0), negated: bangs % 2 == 1, variable, test })
    }

    fn assignment(&mut self) -> Result<Assignment, Fault> {
        let unset = self.rest().starts_with(b"!");
        self.at += usize::from(unset);
        let (place, variable) = (self.line.place(self.at), self.variable()?);
        let unsuitable = Err(Fault { place, cause: Cause::Assignment });
        match (self.rest().first(), variable) {
            (None, Variable::Environment(name)) if unset => Ok(Assignment::Unset(name)),
            (None, _) if unset => unsuitable,
            (Some(b'='), Variable::Authenticated) => unsuitable,
            (Some(b'='), variable) if !unset => {
                self.at += 1;
                let start = self.line.place(self.at);
                let value = self.template()?;
                let digits = |value: &[u8]| value.iter().all(u8::is_ascii_digit);
                if variable == Variable::DataBytes && !value.literal().is_none_or(digits) {
                    return Err(Fault { place: start, cause: Cause::DataBytes });
                }
                Ok(Assignment::Set(variable, value))
            }
            _ => Err(self.fault(Cause::Operator)),
        }
    }

    /// A letter or `_`, then letters, digits and `_` (RULESX-COND-1).
    fn variable(&mut self) -> Result<Variable, Fault> {
        let is_in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let rest = self.rest();
        let name = &rest[..rest.iter().take_while(is_in_name).count()];
        if name.first().is_none_or(u8::is_ascii_digit) {
            return Err(self.fault(Cause::Name));
        }
        let (length, variable) = (name.len(), Variable::named(name));
        self.at += length;
        Ok(variable)
    }

    /// The rest of the line, unescaped.
    fn text(&mut self) -> Result<BString, Fault> {
        let mut text = Vec::new();
        while let Some(&byte) = self.rest().first() {
            text.extend(self.byte(byte)?);
        }
        Ok(text.into())
    }

    /// The rest of the line, unescaped, its variables found (RULESX-ESC-1, RULESX-SUBST-1).
    fn template(&mut self) -> Result<Template, Fault> {
        let mut template = Template::default();
        while let Some(&byte) = self.rest().first() {
            match self.substitution()? {
                Some(variable) => template.push_variable(variable),
                None => self.byte(byte)?.into_iter().for_each(|byte| template.push(byte)),
            }
        }
        Ok(template)
    }

    /// A variable, if a substitution begins here.
    fn substitution(&mut self) -> Result<Option<Variable>, Fault> {
        let fault = self.fault(Cause::Substitution);
        match self.rest() {
            [b'$', b'{', ..] => {
                self.at += 2;
                let variable = self.variable().map_err(|_| fault)?;
                if !self.rest().starts_with(b"}") {
                    return Err(fault);
                }
                self.at += 1;
                Ok(Some(variable))
            }
            [b'$', b'A'..=b'Z' | b'a'..=b'z' | b'_', ..] => {
                self.at += 1;
                self.variable().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Takes the next byte, which is given, and what it escapes.
    fn byte(&mut self, byte: u8) -> Result<Option<u8>, Fault> {
        let fault = self.fault(Cause::Octal);
        self.at += 1;
        if byte != b'\\' {
            return Ok(Some(byte));
        }
        let Some((byte, length)) = rule_text::escaped(self.rest()).map_err(|_| fault)? else {
            return Ok(None);
        };
        self.at += length;
        Ok(Some(byte))
    }
}
