//! An account as a module that accepted it describes it (CVM-RESP-4, -6, CVM-ENV-1 … 3).

use bstr::{BStr, BString, ByteSlice, join};

use crate::wire::cvm::{Fact, Facts};

/// The largest user or group id: the one above it means "none" to the system (CVM-RESP-6).
pub const ID_MAX: u32 = u32::MAX - 1;

/// An account whose mandatory facts are all there and usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its user name.
    pub user: BString,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Its directory, perhaps relative to ours (CVM-ENV-4).
    pub directory: BString,
    facts: Facts,
}

impl Identity {
    /// The account these facts describe.
    ///
    /// # Errors
    /// The mandatory fact that is missing or no usable id.
    pub fn from_facts(facts: Facts) -> Result<Self, Fact> {
        let text = |fact| facts.first(fact).map(BStr::to_owned).ok_or(fact);
        let id = |fact| facts.first(fact).and_then(|digits| id(digits)).ok_or(fact);
        let user = text(Fact::UserName)?;
        let uid = id(Fact::UserId)?;
        let gid = id(Fact::GroupId)?;
        let directory = text(Fact::Directory)?;
        Ok(Self { user, uid, gid, directory, facts })
    }

    /// An optional fact.
    pub fn fact(&self, fact: Fact) -> Option<&BStr> {
        self.facts.first(fact)
    }

    /// The supplementary groups, up to the first that is no usable id (CVM-ENV-2).
    pub fn groups(&self) -> Vec<u32> {
        self.facts.all(Fact::SupplementaryGroupId).map_while(|digits| id(digits)).collect()
    }

    /// The variables that programs serving this account get. Others keep their value (CVM-ENV-1, -2).
    pub fn variables(&self) -> Vec<(&'static str, BString)> {
        let mut variables = vec![
            ("USER", self.user.clone()),
            ("UID", self.uid.to_string().into()),
            ("GID", self.gid.to_string().into()),
            ("HOME", self.directory.clone()),
        ];
        let optional = [
            ("NAME", Fact::RealName),
            ("SHELL", Fact::Shell),
            ("GROUP", Fact::GroupName),
            ("DOMAIN", Fact::Domain),
            ("MAIL", Fact::Mailbox),
            ("MAILBOX", Fact::Mailbox),
            ("MAILDIR", Fact::Mailbox),
        ];
        variables.extend(
            optional.into_iter().filter_map(|(name, fact)| Some((name, self.fact(fact)?.to_owned()))),
        );
        let groups = self.groups();
        if !groups.is_empty() {
            let list = join(",", groups.iter().map(u32::to_string));
            variables.push(("GIDS", list.into()));
        }
        variables
    }
}

/// A pure decimal number that is an id. Empty is none: it would be root (CVM-RESP-6).
fn id(digits: &[u8]) -> Option<u32> {
    let pure = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = pure.then(|| digits.to_str().ok()?.parse().ok()).flatten()?;
    (number <= ID_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::cvm;

    fn identity(more: &[u8]) -> Result<Identity, Fact> {
        let start = b"\0\0\x01\x03bob\x02\x041000\x03\x041001\x05\x05/home";
        Identity::from_facts(cvm::response(b"", &[start, more, b"\0"].concat()).unwrap().facts)
    }

    #[test]
    fn the_mandatory_facts_make_an_account() {
        let bob = identity(b"").unwrap();
        let expected: Vec<(&str, BString)> = vec![
            ("USER", "bob".into()),
            ("UID", "1000".into()),
            ("GID", "1001".into()),
            ("HOME", "/home".into()),
        ];
        assert_eq!(bob.variables(), expected);
    }

    #[test]
    fn optional_facts_are_variables_even_if_empty() {
        let bob = identity(b"\x0e\0\x0f\x01m\x08\x017\x08\x018\x08\x01x\x08\x019").unwrap();
        let variables = bob.variables();
        let value = |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_bytes());
        assert_eq!(value("DOMAIN"), Some(&b""[..]));
        assert_eq!([value("MAIL"), value("MAILBOX"), value("MAILDIR")], [Some(&b"m"[..]); 3]);
        assert_eq!(value("GIDS"), Some(&b"7,8"[..]));
        assert_eq!(value("SHELL"), None);
    }

    #[test]
    fn an_id_is_a_number_that_the_system_can_have() {
        assert_eq!(id(b"0"), Some(0));
        assert_eq!(id(b"0042"), Some(42));
        assert_eq!(id(b"4294967294"), Some(4_294_967_294));
        for wrong in ["", "-1", "+1", "0x1", " 1", "1 ", "4294967295", "4294967296", "18446744073709551616"] {
            assert_eq!(id(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_missing_fact_is_named() {
        let facts = |packet: &[u8]| cvm::response(b"", packet).unwrap().facts;
        assert_eq!(Identity::from_facts(facts(b"\0\0\0")), Err(Fact::UserName));
        assert_eq!(Identity::from_facts(facts(b"\0\0\x01\x01b\x02\0\x03\x011\x05\0\0")), Err(Fact::UserId));
        let no_directory = facts(b"\0\0\x01\x01b\x02\x011\x03\x011\0");
        assert_eq!(Identity::from_facts(no_directory), Err(Fact::Directory));
    }
}
