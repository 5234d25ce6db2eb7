//! What a script's function returns becomes an answer (LUA-9 … 12). Pure.

use bstr::{BString, ByteSlice};

use crate::response::{FINAL_FLAG, Response};

/// The answer in a returned number and text: `None` is no opinion.
///
/// # Errors
/// The number, if no reply can have it (LUA-12).
pub fn answer(number: Option<f64>, text: Option<&[u8]>) -> Result<Option<Response>, f64> {
    let Some(number) = number.map(f64::trunc).filter(|number| *number != 0.0) else { return Ok(None) };
    let whole = whole(number).ok_or(number)?;
    let code = whole % FINAL_FLAG;
    if !(200..600).contains(&code) {
        return Err(number);
    }
    // A C string ends at its first NUL (LUA-10).
    let text = text.map(|text| text.split_once_str("\0").map_or(text, |(text, _)| text));
    let text = text.filter(|text| !text.is_empty()).unwrap_or(default_text(code).as_bytes());
    Ok(Some(Response::from_module(whole, Some(BString::from(text)))))
}

/// The number with its flag, below twice the flag.
fn whole(number: f64) -> Option<u32> {
    let is_small = (1.0..f64::from(2 * FINAL_FLAG)).contains(&number);
    // In this range the conversion is exact.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    is_small.then_some(number as u32)
}

/// What is said for a script that gives no text (LUA-10, -11).
fn default_text(code: u32) -> &'static str {
    match code {
        500.. => "Rejected",
        400..500 => "Deferred",
        _ => "OK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(number: f64, text: Option<&str>) -> String {
        match answer(Some(number), text.map(str::as_bytes)) {
            Ok(None) => "-".into(),
            Ok(Some(answer)) => {
                let is_final = if answer.is_final() { "!" } else { "" };
                format!("{}{is_final} {}", answer.number(), answer.text().unwrap_or_default().as_bstr())
            }
            Err(number) => format!("error {number}"),
        }
    }

    #[test]
    fn numbers_and_texts_become_answers() {
        assert_eq!(shown(250.0, None), "250 OK");
        assert_eq!(shown(450.9, None), "450 Deferred");
        assert_eq!(shown(599.0, Some("")), "599 Rejected");
        assert_eq!(shown(553.0, Some("a\nb\0c")), "553 a\nb");
        assert_eq!(shown(1274.0, None), "250! OK");
        assert_eq!(shown(1275.0, Some("fin")), "251! fin");
        assert_eq!(shown(0.9, Some("x")), "-");
        assert_eq!(answer(None, Some(b"x")), Ok(None));
    }

    #[test]
    fn what_no_reply_can_have_is_an_error() {
        for number in [-1.0, 1.0, 199.0, 600.0, 999.0, 1024.0, 2048.0 + 250.0, 1e300, f64::INFINITY] {
            assert!(answer(Some(number), None).is_err(), "{number}");
        }
        assert!(answer(Some(f64::NAN), None).is_err());
    }
}
