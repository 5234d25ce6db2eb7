use super::*;

#[test]
fn a_head_ends_with_an_empty_line() {
    let plain = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 17\r\n\r\nbody";
    assert_eq!(head(plain), Ok(Some(Head { size: 41, length: Some(17) })));
    assert_eq!(head(b"SPAMD/1.5 0 EX_OK \t\n\nbody"), Ok(Some(Head { size: 21, length: None })));
    assert_eq!(head(b"SPAMD/1.1 0 EX_OK\nX: y\nCONTENT-LENGTH :5\n\n").unwrap().unwrap().length, Some(5));
    for end in 0..41 {
        assert_eq!(head(&plain[..end]), Ok(None), "{end}");
    }
}

#[test]
fn what_is_no_success_is_unusable() {
    for first in ["", "SPAMD/1.1 76 EX_PROTOCOL", "spamd/1.1 0 EX_OK", "SPAMD/1 0 EX_OK", "SPAMD/1. 0 EX_OK"]
    {
        assert_eq!(head(format!("{first}\r\n\r\n").as_bytes()), Err(Unusable), "{first}");
    }
    for line in [
        "Content-length: x",
        "Content-length:",
        "Content-length: 1\r\nContent-length: 2",
        "Content-length: -1",
    ] {
        assert_eq!(head(format!("SPAMD/1.1 0 EX_OK\r\n{line}\r\n\r\n").as_bytes()), Err(Unusable), "{line}");
    }
    assert_eq!(head(&[b'x'; HEAD_MAX]), Err(Unusable));
    let endless = [&b"SPAMD/1.1 0 EX_OK\n"[..], &b"X: y\n".repeat(HEAD_MAX)].concat();
    assert_eq!(head(&endless), Err(Unusable));
}

fn is_spam(message: &[u8]) -> bool {
    let whole = {
        let mut status = Status::default();
        status.push(message);
        status.is_spam()
    };
    let mut pieces = Status::default();
    message.iter().for_each(|byte| pieces.push(&[*byte]));
    assert_eq!(pieces.is_spam(), whole, "cutting changes the result");
    whole
}

#[test]
fn the_first_status_of_the_header_decides() {
    assert!(is_spam(b"X-Spam-Status: Yes, score=9\n\n"));
    assert!(is_spam(b"A: b\nx-spam-STATUS:y"));
    assert!(is_spam(b"A: b\r\nX-Spam-Status: \t Y\r\n\r\n"));
    assert!(!is_spam(b"X-Spam-Status: No\nX-Spam-Status: Yes\n\n"));
    assert!(!is_spam(b"X-Spam-Status:\n Yes\n\n"));
    assert!(!is_spam(b"X-Spam-Flag: YES\n\n"));
    assert!(!is_spam(b"A: X-Spam-Status: Yes\n\n"));
    assert!(!is_spam(b"\nX-Spam-Status: Yes\n"));
    assert!(!is_spam(b"A: b\r\n\r\nX-Spam-Status: Yes\n"));
    assert!(!is_spam(b"X-Spam\nX-Spam-Stat: Yes\n\n"));
    assert!(is_spam(b"X-Spam\nX-Spam-Status: Yes\n\n"));
    assert!(is_spam(b"\rX\nX-Spam-Status: Yes\n\n"));
}

#[test]
fn a_message_is_whole_if_it_is_as_long_as_promised() {
    let head = |length| Head { size: 0, length };
    assert!(head(Some(5)).is_whole(5, 3));
    assert!(!head(Some(5)).is_whole(4, 3));
    assert!(!head(Some(5)).is_whole(6, 3));
    assert!(head(None).is_whole(1, 3));
    assert!(!head(None).is_whole(0, 3));
    assert!(!head(Some(0)).is_whole(0, 3));
    assert!(head(Some(0)).is_whole(0, 0));
}
