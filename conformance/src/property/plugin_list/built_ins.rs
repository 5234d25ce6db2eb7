//! The order of plugins as far as those built in show it: which refusal comes first, whether anything
//! accepts, and whether the backend sees a file.

use proptest::{prelude::any, strategy::Strategy};

use super::{
    lists::{Lists, Vocabulary},
    model::{Loaded, Model},
    transcript::{Dialogue, enumerated, front},
};

/// Lists, and what the plugins in them do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The lists.
    pub lists: Lists,
    /// Whether `reject` refuses (BUILTIN-5).
    pub rejects: bool,
    /// Whether the client may relay: `require-auth` lets it pass, `relayclient` accepts (BUILTIN-8, -10).
    pub relays: bool,
}

const ITEMS: Vocabulary = &[
    (30, &["accept", "accept-sender", "accept-recipient", "reject", "require-auth"]),
    (6, &["relayclient", "force-file"]),
    (20, &["+accept", "+reject", "+require-auth", "+relayclient"]),
    (14, &["-accept", "-accept-sender", "-accept-recipient", "-reject", "-require-auth", "-force-file"]),
    (4, &["-*"]),
    (5, &[""]),
    (4, &["-", "--accept", "-nosuch", "-+accept", "-**", "-Accept", "- accept"]),
    (1, &["nosuch", "+nosuch", "+", "+-accept", "++accept", "Accept", " accept", "accept,reject", "*"]),
];

const NAMES: &[&str] =
    &["accept", "accept-sender", "accept-recipient", "reject", "require-auth", "relayclient", "force-file"];

/// Inputs made up at random.
pub fn inputs() -> impl Strategy<Value = Input> {
    (Lists::over(ITEMS), any::<bool>(), any::<bool>()).prop_map(|(lists, rejects, relays)| Input {
        lists,
        rejects,
        relays,
    })
}

impl Input {
    /// The transcript that shows whether a target does what `model` says.
    pub fn transcript(&self, model: Model) -> String {
        let items: Vec<&'static str> = self.lists.items().collect();
        let there = |name: &str| NAMES.contains(&name).then_some(name == "force-file");
        let loaded = model(&items, &there);
        let title = match &loaded {
            Ok(loaded) => format!("This list amounts to {}", enumerated(&loaded.order)),
            Err(name) => format!("The start ends at the plugin `{}`, which is not there", name.0),
        };
        let mut front = front(&self.lists, title, &["PLUG-LIST-3", "PLUG-LIST-9"]);
        for (name, value, is_set) in
            [("REJECT", "rejected", self.rejects), ("RELAYCLIENT", "+relayed", self.relays)]
        {
            if is_set {
                front.env.insert(name.into(), value.into());
            }
        }
        let (dialogue, status) = match &loaded {
            Ok(loaded) => (self.session(loaded), 0),
            Err(name) => (Dialogue::not_loaded(name), 1),
        };
        dialogue.under(&front, status)
    }

    fn session(&self, loaded: &Loaded) -> Dialogue {
        let mut dialogue = Dialogue::greeted();
        self.message(loaded, &mut dialogue);
        dialogue.ended();
        dialogue
    }

    fn message(&self, loaded: &Loaded, dialogue: &mut Dialogue) {
        dialogue.commanded("MAIL FROM:<s>");
        let refusal = loaded.order.iter().find_map(|name| match *name {
            "reject" if self.rejects => Some("451 rejected"),
            "require-auth" if !self.relays => Some("530 5.7.1 ~You must authenticate first."),
            _ => None,
        });
        if let Some(refusal) = refusal {
            return dialogue.refused(refusal);
        }
        let has = |name: &str| loaded.order.contains(&name);
        if !has("accept") && !has("accept-sender") {
            return dialogue.refused("550 5.1.0 ~Mail system is not configured to accept that sender");
        }
        dialogue.answered("250 Sender='s'.");
        dialogue.commanded("RCPT TO:<r>");
        let relayed = has("relayclient") && self.relays;
        if !relayed && !has("accept") && !has("accept-recipient") {
            return dialogue.refused("550 5.1.0 ~Mail system is not configured to accept that recipient");
        }
        dialogue.answered(if relayed { "250 Recipient='r+relayed'." } else { "250 Recipient='r'." });
        dialogue.sent("DATA");
        dialogue.answered("354 ~~");
        dialogue.sent("text");
        dialogue.sent(".");
        dialogue.answered("250 Received 5 bytes.");
        // The backend logs the first line again if it is given a file (ECHO-6).
        for _ in 0..=usize::from(loaded.need_file) {
            dialogue.logged("text");
        }
    }
}
