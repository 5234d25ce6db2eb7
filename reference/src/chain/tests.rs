//! The chain over modules that answer as told and note what they were asked.

use std::{cell::RefCell, fs::File, rc::Rc};

use bstr::BString;

use super::{Chain, RECIPIENTS_MAX};
use crate::{
    connection::Connection,
    log::Log,
    plugin::{Answer, Hook, Module, Named},
    response::{FINAL_FLAG, Response},
    session::Session,
};

type Calls = Rc<RefCell<Vec<String>>>;
type Script = fn(Hook) -> Answer;

struct Scripted {
    name: &'static str,
    script: Script,
    calls: Calls,
    inject: &'static [u8],
}

impl Scripted {
    fn called(&self, hook: Hook) -> Answer {
        self.calls.borrow_mut().push(format!("{} {}", self.name, hook.name()));
        (self.script)(hook)
    }
}

impl Module for Scripted {
    fn has(&self, _: Hook) -> bool {
        true
    }
    fn init(&mut self, _: &Session) -> Answer {
        self.called(Hook::Init)
    }
    fn helo(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        self.called(Hook::Helo)
    }
    fn reset(&mut self, _: &Session) -> Answer {
        self.called(Hook::Reset)
    }
    fn sender(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        self.called(Hook::Sender)
    }
    fn recipient(&mut self, _: &Session, _: &mut BString, _: &mut BString) -> Answer {
        self.called(Hook::Recipient)
    }
    fn data_start(&mut self, session: &Session, _: Option<&File>) -> Answer {
        session.inject(self.inject);
        self.called(Hook::DataStart)
    }
    fn data_block(&mut self, _: &Session, block: &[u8]) -> Answer {
        self.calls.borrow_mut().push(format!("{} block {}", self.name, block.len()));
        (self.script)(Hook::DataBlock)
    }
    fn message_end(&mut self, _: &Session, _: Option<&File>) -> Answer {
        self.called(Hook::MessageEnd)
    }
}

fn session() -> Session {
    Session::new(Connection::new(Log::new("test")))
}

/// A chain of plugins `a`, `b`, … and the backend, which is the last script.
fn chain(scripts: &[Script]) -> (Chain, Calls) {
    let calls = Calls::default();
    let names = ["a", "b", "c"];
    let named = |name: &'static str, script| Named {
        name: name.into(),
        module: Box::new(Scripted {
            name,
            script,
            calls: Rc::clone(&calls),
            inject: if name == "b" { b"X: y\n" } else { b"" },
        }),
    };
    let (backend, plugins) = scripts.split_last().unwrap();
    let plugins = plugins.iter().zip(names).map(|(script, name)| named(name, *script)).collect();
    let chain = Chain::new(plugins, named("backend", *backend), false);
    (chain, calls)
}

fn sender(scripts: &[Script]) -> (u16, String, Vec<String>) {
    let (mut chain, calls) = chain(scripts);
    let response = chain.sender(&session(), &mut "a@b".into(), &mut BString::default());
    let text = String::from_utf8_lossy(response.text().unwrap_or_default()).into_owned();
    let calls = calls.borrow().clone();
    (response.number(), text, calls)
}

const PASS: Script = |_| None;
const ACCEPT: Script = |_| Some(Response::accepted());
const SAY: Script = |_| Some(Response::new(251, "said"));
const REFUSE: Script = |_| Some(Response::new(450, "no"));
const BACKEND: Script = |_| Some(Response::new(252, "stored"));

#[test]
fn the_text_is_the_first_acceptance_s_then_the_backend_s_then_ours() {
    for (scripts, number, text) in [
        (&[SAY, BACKEND][..], 251, "said"),
        (&[ACCEPT, BACKEND], 252, "stored"),
        (&[ACCEPT, SAY, BACKEND], 252, "stored"),
        (&[ACCEPT, PASS], 250, "2.1.0 Sender accepted."),
        (&[ACCEPT, ACCEPT], 250, "2.1.0 Sender accepted."),
        (&[SAY, REFUSE], 450, "no"),
    ] {
        let (got, said, _) = sender(scripts);
        assert_eq!((got, said.as_str()), (number, text));
    }
}

#[test]
fn a_refusal_stops_the_event() {
    let (number, _, calls) = sender(&[ACCEPT, REFUSE, ACCEPT, BACKEND]);
    assert_eq!(number, 450);
    assert_eq!(calls, ["a sender", "b sender"]);
}

#[test]
fn nobody_accepting_is_a_refusal_without_the_backend() {
    let (number, _, calls) = sender(&[PASS, BACKEND]);
    assert_eq!(number, 550);
    assert_eq!(calls, ["a sender"]);
}

#[test]
fn a_final_acceptance_replaces_an_earlier_one_and_skips_the_other_plugins() {
    let done: Script = |_| Some(Response::from_module(250 + FINAL_FLAG, Some("done".into())));
    let (number, text, calls) = sender(&[SAY, done, REFUSE, BACKEND]);
    assert_eq!((number, text.as_str()), (250, "done"));
    assert_eq!(calls, ["a sender", "b sender", "backend sender"]);
}

#[test]
fn every_module_is_reset_before_a_refusal_is_told() {
    let (mut chain, calls) = chain(&[REFUSE, SAY, REFUSE]);
    assert_eq!(chain.reset(&session()), Some(Response::new(450, "no")));
    assert_eq!(*calls.borrow(), ["backend reset", "a reset", "b reset"]);
}

#[test]
fn an_empty_recipient_never_reaches_the_backend() {
    let (mut chain, calls) = chain(&[ACCEPT, BACKEND]);
    let response = chain.recipient(&session(), &mut BString::default(), &mut BString::default());
    assert_eq!(response.number(), 554);
    assert_eq!(*calls.borrow(), ["a recipient"]);
}

#[test]
fn there_is_room_for_a_number_of_recipients_and_no_more() {
    let (mut chain, calls) = chain(&[ACCEPT, BACKEND]);
    let session = session();
    let mut next = || chain.recipient(&session, &mut "a@b".into(), &mut BString::default()).number();
    assert!((0..RECIPIENTS_MAX).all(|_| next() == 252));
    calls.borrow_mut().clear();
    assert_eq!(next(), 452);
    assert!(calls.borrow().is_empty());
}

#[test]
fn injected_bytes_go_to_the_backend_alone_and_first() {
    let (mut chain, calls) = chain(&[PASS, PASS, PASS]);
    let session = session();
    assert_eq!(chain.data_start(&session), None);
    chain.data_block(&session, b"body\n");
    let expected = [
        "backend data_start",
        "a data_start",
        "b data_start",
        "backend block 5",
        "a block 5",
        "b block 5",
        "backend block 5",
    ];
    assert_eq!(*calls.borrow(), expected);
}

#[test]
fn a_refused_block_ends_the_message_for_everybody_but_is_told_at_its_end() {
    let refuse_data: Script = |hook| (hook == Hook::DataBlock).then(|| Response::new(552, "too long"));
    // The same from the backend, whose refusal the C program loses (HOOK-DATA-5).
    for scripts in [[refuse_data, ACCEPT], [ACCEPT, refuse_data]] {
        let (mut chain, calls) = chain(&scripts);
        let session = session();
        assert_eq!(chain.data_start(&session), None);
        chain.data_block(&session, b"one");
        calls.borrow_mut().clear();
        chain.data_block(&session, b"two");
        assert_eq!(chain.message_end(&session), Response::new(552, "too long"));
        assert!(calls.borrow().is_empty());
    }
}

#[test]
fn the_backend_has_the_last_word_on_a_message() {
    let said = |scripts: &[Script]| chain(scripts).0.message_end(&session());
    assert_eq!(said(&[SAY, BACKEND]), Response::new(252, "stored"));
    assert_eq!(said(&[SAY, PASS]), Response::new(250, "2.6.0 Message accepted."));
    assert_eq!(said(&[REFUSE, BACKEND]), Response::new(450, "no"));
}

#[test]
fn only_refusals_of_init_count_and_the_first_one_stops() {
    let (mut starting, calls) = chain(&[SAY, REFUSE, SAY, BACKEND]);
    assert_eq!(starting.init(&session()), Some(Response::new(450, "no")));
    assert_eq!(*calls.borrow(), ["a init", "b init"]);
    assert_eq!(chain(&[SAY, BACKEND]).0.init(&session()), None);
}
