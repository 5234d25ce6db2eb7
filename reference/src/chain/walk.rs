//! The walk over the plugins, and how answers are weighed against each other.

use bstr::ByteSlice;

use crate::{
    plugin::{Answer, Hook, Module, Named},
    response::Response,
    session::Session,
};

/// The first refusal, else the first acceptance, unless a final one came later (HOOK-ORDER-3,
/// HOOK-FINAL-1).
pub(super) fn walk(
    plugins: &mut [Named],
    hook: Hook,
    session: &Session,
    mut call: impl FnMut(&mut dyn Module) -> Answer,
) -> Answer {
    trace_walk(session, hook);
    let mut accepted = None;
    for named in plugins.iter_mut().filter(|named| named.module.has(hook)) {
        match called(named, session, &mut call) {
            Some(answer) if !answer.is_ok() || answer.is_final() => return Some(answer),
            answer => accepted = accepted.or(answer),
        }
    }
    accepted
}

pub(super) fn called(
    named: &mut Named,
    session: &Session,
    call: impl FnOnce(&mut dyn Module) -> Answer,
) -> Answer {
    let log = &session.connection.log;
    if !log.is_tracing() {
        return call(named.module.as_mut());
    }
    log.debug(&[b"Calling plugin: ", named.name.as_bytes()].concat());
    let answer = call(named.module.as_mut());
    if let Some(answer) = &answer {
        let number = format!(" returned {}:", answer.number_with_flag());
        let text = answer.text().unwrap_or(b"(null)");
        log.debug(&[b"Plugin ", named.name.as_bytes(), number.as_bytes(), text].concat());
    }
    answer
}

pub(super) fn trace_walk(session: &Session, hook: Hook) {
    let log = &session.connection.log;
    if log.is_tracing() {
        log.debug(format!("Calling plugin hook: {}", hook.name()).as_bytes());
    }
}

pub(super) fn refusal(answer: Answer) -> Option<Response> {
    answer.filter(|answer| !answer.is_ok())
}

/// A hook's own answer if it refuses, else what became of the bytes it injected, else its answer.
pub(super) fn worse(answer: Answer, injected: impl FnOnce() -> Option<Response>) -> Answer {
    match answer {
        Some(answer) if !answer.is_ok() => Some(answer),
        answer => injected().or(answer),
    }
}

/// The response to MAIL and RCPT, given a plugin's acceptance and the backend's answer (HOOK-RESP-1).
pub(super) fn envelope_answer(accepted: Response, backend: Answer, default: &str) -> Response {
    match backend {
        Some(answer) if !answer.is_ok() => answer,
        _ if accepted.text().is_some() => accepted,
        Some(answer) if answer.text().is_some() => answer,
        _ => Response::new(250, default),
    }
}
