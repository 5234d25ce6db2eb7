//! Codecs of what judges content.

use bstr::ByteSlice as _;
use mailfront::wire::{
    hops::Hops,
    patterns::{DEFAULT_RESPONSE, Patterns, Scan},
    size::declared_size,
};

/// However a message is cut, the same line decides, with a response that stands in the file (PAT-MODE-2).
/// The first two bytes are the length compared and the cuts; an empty line divides file and message.
pub fn patterns(input: &[u8]) {
    let [line_max, step, rest @ ..] = input else { return };
    let (file, message) = rest.split_once_str("\n\n").unwrap_or((rest, b""));
    let patterns = Patterns::parse(file, DEFAULT_RESPONSE.as_bytes(), usize::from(*line_max));
    let found = |size: usize| {
        let mut scan = Scan::default();
        let hit = message.chunks(size).find_map(|piece| scan.push(&patterns, piece));
        hit.or_else(|| scan.finish(&patterns)).cloned()
    };
    let whole = found(message.len().max(1));
    assert_eq!(found(usize::from(step % 16) + 1), whole, "cutting changes the result");
    if let Some(text) = whole {
        assert!(text == DEFAULT_RESPONSE || file.contains_str(&text), "a response from nowhere");
    }
}

/// However a message is cut, its hops are the same, and no more than its lines (CNT-HOP-3). The first byte
/// is the cuts.
pub fn hops(input: &[u8]) {
    let Some((step, message)) = input.split_first() else { return };
    let count = |size: usize| {
        let mut hops = Hops::default();
        message.chunks(size).for_each(|piece| hops.push(piece));
        hops.most()
    };
    let whole = count(message.len().max(1));
    assert_eq!(count(usize::from(step % 16) + 1), whole, "cutting changes the count");
    assert!(whole <= message.lines().count() as u64);
}

/// A size is what stands behind the first `SIZE=`, or nothing (CNT-PARAM-2).
pub fn size(parameters: &[u8]) {
    let first = parameters
        .split_str("\0")
        .find(|item| item.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"SIZE=")));
    match (declared_size(parameters), first) {
        (Some(size), Some(item)) => {
            let digits =
                item[5..].trim_start_with(|c| c.is_ascii_whitespace() || c == '\x0b' || c == '+' || c == '0');
            let shown = size.to_string();
            assert!(
                size == u64::MAX || digits.as_bytes() == shown.as_bytes() || (size == 0 && digits.is_empty())
            );
        }
        (Some(_), None) => panic!("a size from nowhere"),
        (None, _) => {}
    }
}
