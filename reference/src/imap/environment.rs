//! Variables around an IMAP server: what is announced before it runs, and what it finds when it does
//! (IMAP-CAPA-1 … 3, IMAP-EXEC-2, -3).

use bstr::{BStr, BString, ByteSlice};

use crate::{
    credentials::identity::Identity,
    wire::{cvm::Fact, number::is_nonzero},
};

/// What every server of this kind can do.
const FIRST: &[u8] = b"IMAP4rev1";

/// The capabilities, as the variables for Courier IMAP have them.
pub(super) fn capabilities(variable: impl Fn(&str) -> Option<BString>) -> Vec<u8> {
    let is_on = |name| variable(name).is_some_and(|value| is_nonzero(&value));
    let mut all = FIRST.to_vec();
    let listed = variable("IMAP_CAPABILITY").or_else(|| variable("CAPABILITY")).unwrap_or_default();
    let more = without_first(&listed);
    if !more.is_empty() {
        all.push(b' ');
        all.extend_from_slice(more);
    }
    if is_on("IMAP_ACL") {
        all.extend_from_slice(b" ACL ACL2=UNION");
    }
    if let Some(outbox) = variable("OUTBOX").filter(|name| !name.is_empty()) {
        all.extend_from_slice(&[b" XCOURIEROUTBOX=INBOX", outbox.as_bytes()].concat());
    }
    if is_on("IMAP_MOVE_EXPUNGE_TO_TRASH") {
        all.extend_from_slice(b" XMAGICTRASH");
    }
    all
}

/// A list of capabilities behind [`FIRST`], if it begins with that, and the blanks that follow
/// (IMAP-CAPA-2).
fn without_first(list: &[u8]) -> &[u8] {
    let (start, rest) = list.split_at(FIRST.len().min(list.len()));
    let is_word = rest.first().is_none_or(|byte| is_white_space(*byte));
    let rest = if start.eq_ignore_ascii_case(FIRST) && is_word { rest } else { list };
    let blanks = rest.iter().take_while(|byte| is_white_space(**byte)).count();
    &rest[blanks..]
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The variables of the server for an account whose directory is the current one by now.
pub(super) fn of_server(
    tag: &BStr,
    identity: &Identity,
    setup: Option<BString>,
) -> Vec<(&'static str, BString)> {
    let mut variables = identity.variables();
    variables.push(("IMAPLOGINTAG", tag.into()));
    variables.push(("AUTHENTICATED", identity.user.clone()));
    if let Some(mailbox) =
        identity.fact(Fact::Mailbox).filter(|_| setup.is_some_and(|name| name == "dovecot"))
    {
        let location = dovecot_location(mailbox);
        variables.push(("DOVECONF_ENV", "1".into()));
        for name in ["MAIL", "MAILBOX", "MAILDIR"] {
            // The newest value of a variable counts.
            variables.push((name, location.clone()));
        }
    }
    variables
}

/// A mailbox as Dovecot wants it named (IMAP-EXEC-3).
fn dovecot_location(mailbox: &BStr) -> BString {
    let is_folder = rustix::fs::stat(mailbox.as_bytes())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
    let kind: &[u8] = if is_folder { b"maildir:" } else { b"mbox:" };
    [kind, &mailbox.replace(":", "::")].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(variables: &[(&str, &str)]) -> BString {
        let variable = |name: &str| Some(variables.iter().find(|(set, _)| *set == name)?.1.into());
        capabilities(variable).into()
    }

    #[test]
    fn the_first_capability_is_announced_once() {
        assert_eq!(announced(&[]), "IMAP4rev1");
        assert_eq!(announced(&[("CAPABILITY", "imap4rev1  IDLE X ")]), "IMAP4rev1 IDLE X ");
        assert_eq!(announced(&[("CAPABILITY", "  IDLE")]), "IMAP4rev1 IDLE");
        assert_eq!(announced(&[("CAPABILITY", "IMAP4rev1")]), "IMAP4rev1");
        assert_eq!(announced(&[("CAPABILITY", "IMAP4rev1FOO")]), "IMAP4rev1 IMAP4rev1FOO");
        assert_eq!(announced(&[("CAPABILITY", "A"), ("IMAP_CAPABILITY", "B")]), "IMAP4rev1 B");
        assert_eq!(announced(&[("CAPABILITY", "A"), ("IMAP_CAPABILITY", "")]), "IMAP4rev1");
    }

    #[test]
    fn switches_of_courier_add_theirs() {
        let all = [("IMAP_ACL", "1"), ("OUTBOX", ".Out"), ("IMAP_MOVE_EXPUNGE_TO_TRASH", "-1")];
        assert_eq!(announced(&all), "IMAP4rev1 ACL ACL2=UNION XCOURIEROUTBOX=INBOX.Out XMAGICTRASH");
        let none = [("IMAP_ACL", "yes"), ("OUTBOX", ""), ("IMAP_MOVE_EXPUNGE_TO_TRASH", "0")];
        assert_eq!(announced(&none), "IMAP4rev1");
    }
}
