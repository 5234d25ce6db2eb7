//! The events of a message, from its first byte to the answer for it (HOOK-DATA, HOOK-TMP, HOOK-RESP-3, -4).

use super::{
    Chain,
    walk::{refusal, walk, worse},
};
use crate::{
    plugin::{Hook, Module},
    response::Response,
    scratch::Scratch,
    session::Session,
};

impl Chain {
    /// The message begins: a refusal, or nothing (HOOK-RESP-4).
    pub fn data_start(&mut self, session: &Session) -> Option<Response> {
        self.scratch = None;
        if self.needs_file {
            match Scratch::create(session) {
                Ok(scratch) => self.scratch = Some(scratch),
                // No hook is called and none reset (HOOK-TMP-4).
                Err(_) => return Some(Response::internal()),
            }
        }
        let refusal = self.call_data_start(session)?;
        let _ignored = self.reset(session);
        Some(refusal)
    }

    fn call_data_start(&mut self, session: &Session) -> Option<Response> {
        let Self { plugins, backend, scratch, .. } = self;
        let backend = backend.module.as_mut();
        if backend.has(Hook::DataStart) {
            let answer = backend.data_start(session, scratch.as_ref().map(Scratch::file));
            if let Some(refusal) = refusal(answer) {
                return Some(refusal);
            }
        }
        refusal(walk(plugins, Hook::DataStart, session, |module| {
            let answer = module.data_start(session, scratch.as_ref().map(Scratch::file));
            worse(answer, || deliver_injected(session, backend, scratch))
        }))
    }

    /// A part of the message, not empty. Once one was refused the rest is ignored, and every module
    /// has forgotten the message (HOOK-DATA-2, -5).
    pub fn data_block(&mut self, session: &Session, block: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let Self { plugins, backend, scratch, .. } = self;
        let backend = backend.module.as_mut();
        let mut refused = None;
        for named in plugins.iter_mut().filter(|named| named.module.has(Hook::DataBlock)) {
            let answer = named.module.data_block(session, block);
            refused = refusal(worse(answer, || deliver_injected(session, backend, scratch)));
            if refused.is_some() {
                break;
            }
        }
        let refused = refused
            .or_else(|| {
                backend.has(Hook::DataBlock).then(|| refusal(backend.data_block(session, block))).flatten()
            })
            .or_else(|| append(scratch, block));
        if let Some(refusal) = refused {
            self.fail(session, refusal);
        }
    }

    /// Gives the message up: all modules are reset, and its end will be answered with `reason` unless
    /// an earlier refusal waits for that (HOOK-DATA-2).
    pub fn fail(&mut self, session: &Session, reason: Response) {
        if self.failure.is_none() {
            let _ignored = self.reset(session);
            self.failure = Some(reason);
        }
    }

    /// The message is complete: what the client is told (HOOK-RESP-3).
    pub fn message_end(&mut self, session: &Session) -> Response {
        if let Some(failure) = self.failure.take() {
            return failure;
        }
        let response = self.call_message_end(session);
        if response.is_ok() {
            self.scratch = None;
        } else {
            let _ignored = self.reset(session);
        }
        response
    }

    fn call_message_end(&mut self, session: &Session) -> Response {
        let Self { plugins, backend, scratch, .. } = self;
        if scratch.as_mut().is_some_and(|scratch| scratch.flush().is_err()) {
            return Response::internal();
        }
        let file = scratch.as_ref().map(Scratch::file);
        let accepted = walk(plugins, Hook::MessageEnd, session, |module| module.message_end(session, file));
        if accepted.as_ref().is_some_and(|answer| !answer.is_ok()) {
            return accepted.unwrap_or_else(Response::internal);
        }
        let backend = backend.module.as_mut();
        let answer =
            if backend.has(Hook::MessageEnd) { backend.message_end(session, file) } else { accepted };
        let accepted = || Response::new(250, "2.6.0 Message accepted.");
        answer.filter(|answer| !answer.is_ok() || answer.text().is_some()).unwrap_or_else(accepted)
    }
}

/// Header bytes of a plugin go where the body will go: to the temporary file, else to the backend,
/// never to other plugins (HOOK-DATA-6, -7).
fn deliver_injected(
    session: &Session,
    backend: &mut dyn Module,
    scratch: &mut Option<Scratch>,
) -> Option<Response> {
    let bytes = session.take_injected();
    if bytes.is_empty() {
        None
    } else if scratch.is_some() {
        append(scratch, &bytes)
    } else if backend.has(Hook::DataBlock) {
        refusal(backend.data_block(session, &bytes))
    } else {
        None
    }
}

fn append(scratch: &mut Option<Scratch>, bytes: &[u8]) -> Option<Response> {
    let written = scratch.as_mut()?.append(bytes);
    written.is_err().then(Response::internal)
}
