//! Properties of what judges and marks messages: [`patterns`] finds what the model finds, however the
//! message is cut; [`counters`] keeps each limit to the byte; [`trace`] writes the header that the
//! model writes, whatever the client calls itself.

pub mod counters;
pub mod patterns;
pub mod trace;

use crate::transcript::Front;

#[cfg(test)]
mod tests;

/// A transcript of `front` and `dialogue`, which begins behind the greeting.
fn transcript(front: &Front, dialogue: &str) -> String {
    // A head of strings always has a form in TOML.
    let head = toml::to_string(front).unwrap_or_default();
    format!("+++\n{head}+++\nS: 220 ${{LOCALHOST}} mailfront ESMTP\n{dialogue}C: QUIT\nS: 221 ~~\nexit: 0\n")
}
