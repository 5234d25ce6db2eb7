//! Mails made up at random, as people send them: fields that are folded, texts in every encoding, parts
//! within parts; and what lines of text may do to a server that stuffs dots.

use proptest::{
    collection::vec,
    prelude::any,
    prop_oneof,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};

/// A mail, in lines that end with LF.
pub type Mail = String;

/// Parts within parts.
const DEPTH_MAX: u32 = 2;

/// Fields that say nothing of the body.
const FIELDS: &[&str] = &[
    "Subject: plain",
    "Subject: =?utf-8?q?=C3=A9t=C3=A9?= and more",
    "Subject: =?iso-8859-1?b?6Q==?=\n =?iso-8859-1?b?6Q==?=",
    "To: a@example.com,\n\tb@example.com,\n  \"C, D\" <c@example.com>",
    "X-Empty:",
    "X-Colons: a: b: c",
    "X-Dots: .\n ..\n .x",
    "X-Eight: caf\u{e9}",
    "Received: from a by b;\n Thu, 26 Nov 2026 00:00:00 +0000",
    ".Dot: a field that begins with a dot",
];

/// Lines of a text.
const LINES: &[&str] = &[
    "",
    "",
    ".",
    "..",
    ".x",
    "...",
    "text of a line",
    "From here",
    " a blank first",
    "a blank last ",
    "-- ",
    "--",
    "=",
    "caf\u{e9}",
    "\t",
    "RETR 1",
    "+OK",
    "-ERR no",
];

/// Lines that mean the same however they are encoded, and how they are in quoted-printable.
const QUOTED: &[&str] = &["=2E", "a=3Db", "a soft =\nbreak", "=C3=A9", "end=20", ".", ""];

/// Pieces of base64, some of them with dots around.
const BASE64: &[&str] = &["aGVsbG8gd29ybGQ=", "AAECAwQFBgcICQ==", "Lg0KLg0K", "/+7dzLuqmYh3ZlVEMyIRAA=="];

/// Mails made up at random; the last line may have no end. With `everything` some are stored with CRLF
/// (MAILDIR-DATA-4), and a dot may be the very first byte, which Dovecot and Courier do not stuff.
pub fn mails(everything: bool) -> BoxedStrategy<Mail> {
    let line_end = if everything { &["\n", "\r\n"][..] } else { &["\n"] };
    let whole =
        (part(DEPTH_MAX), any::<bool>(), select(line_end)).prop_map(move |(mut mail, ends, line_end)| {
            if mail.starts_with('.') && !everything {
                mail.insert_str(0, "Subject: first\n");
            }
            let mail = if ends { &mail } else { mail.strip_suffix('\n').unwrap_or(&mail) };
            mail.replace('\n', line_end)
        });
    // What is hardly a mail: nothing, no header, a header without an end.
    let bare = select(&["", "\n", "\n\n", "Subject: x", "Subject: x\n", "\n.\n"][..]);
    prop_oneof![9 => whole, 1 => bare.prop_map(String::from)].boxed()
}

/// Header, blank line and body.
fn part(depth: u32) -> BoxedStrategy<String> {
    let fields =
        vec(select(FIELDS), 0..5).prop_map(|fields| fields.iter().map(|f| format!("{f}\n")).collect());
    (fields, body(depth)).prop_map(|(fields, body): (String, String)| format!("{fields}{body}")).boxed()
}

/// The fields that tell of the body, the blank line, and the body.
fn body(depth: u32) -> BoxedStrategy<String> {
    let long = (1..4_usize).prop_map(|n| ".".repeat(n * 4095));
    let line = prop_oneof![20 => select(LINES).prop_map(String::from), 1 => long];
    let plain = vec(line, 0..12).prop_map(|lines| format!("\n{}", ended(&lines)));
    let leaf = prop_oneof![
        3 => plain,
        1 => vec(select(QUOTED), 0..6).prop_map(|lines| {
            format!("Content-Transfer-Encoding: quoted-printable\n\n{}", ended(&lines))
        }),
        1 => vec(select(BASE64), 1..4).prop_map(|lines| {
            format!("Content-Type: application/octet-stream; name=\"a;b\"\n\
                     Content-Transfer-Encoding: base64\n\n{}", ended(&lines[..1]))
        }),
    ];
    let Some(within) = depth.checked_sub(1) else { return leaf.boxed() };
    let several = (vec(part(within), 1..4), any::<bool>()).prop_map(move |(parts, is_closed)| {
        // Boundaries of different depths differ, and one begins with a dot.
        let boundary = [".dot", "=_a'b"][depth as usize % 2];
        let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
        let close = if is_closed { format!("--{boundary}--\n") } else { String::new() };
        format!("Content-Type: multipart/mixed;\n\tboundary=\"{boundary}\"\n\npreamble\n{parts}{close}")
    });
    prop_oneof![2 => leaf, 1 => several].boxed()
}

fn ended<T: AsRef<str>>(lines: &[T]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}
