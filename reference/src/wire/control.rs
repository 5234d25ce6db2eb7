//! qmail's control files: one entry a line (QVAL-5).

use bstr::{BString, ByteSlice};

/// The entries of a file, in lower case, without the white space around them. Empty lines and those
/// that begin with `#` have none; no other syntax exists.
pub fn entries(file: &[u8]) -> impl Iterator<Item = BString> {
    let lines = file.split(|byte| *byte == b'\n').map(|line| line.trim_with(is_blank));
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| line.to_ascii_lowercase().into())
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_lines_without_blanks_and_remarks() {
        let file = b"One@Example.com\r\n\n \t# two\n#three\n\x0b\x0c four five \t\n\x80\xc4A\0B#\n@\nlast";
        let found: Vec<BString> = entries(file).collect();
        assert_eq!(
            found,
            ["one@example.com", "four five", "\u{0}", "@", "last"].map(|text| match text {
                "\u{0}" => BString::from(b"\x80\xc4a\0b#"),
                text => text.into(),
            })
        );
        assert_eq!(entries(b"").count(), 0);
        assert_eq!(entries(b"\r\n \n").count(), 0);
    }
}
