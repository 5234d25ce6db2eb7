//! The order of plugins as probe modules show it: each adds its name to the sender's address, traces
//! its initialisation and says whether there is a temporary file.

use proptest::{sample::subsequence, strategy::Strategy};

use super::{
    lists::{Lists, Vocabulary},
    model::{Loaded, Model},
    transcript::{Dialogue, enumerated, front},
};

/// Lists, and which plugins need files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The lists.
    pub lists: Lists,
    /// The plugins that need files.
    pub need_file: Vec<&'static str>,
}

/// The plugins there are. Two have names that begin with an operator, so that an operator taken for a
/// part of a name, or the other way round, shows in the order.
const NAMES: &[&str] = &["a", "b", "c", "d", "-a", "+a"];

const ITEMS: Vocabulary = &[
    (40, &["a", "b", "c", "d"]),
    (20, &["+a", "+b", "+c", "+d", "+-a", "++a"]),
    (14, &["-a", "-b", "-c", "-d", "--a", "-+a"]),
    (5, &["-*"]),
    (5, &[""]),
    (4, &["-", "--", "-x", "--x", "-+x", "-**", "-+*", "-A", "- a"]),
    (2, &["x", "+x", "+", "+-x", "++x", "A", " a", "a ", "a,b", "*", "+*"]),
];

/// Most plugins that need files.
const NEED_FILE_MAX: usize = 2;

/// Inputs made up at random.
pub fn inputs() -> impl Strategy<Value = Input> {
    (Lists::over(ITEMS), subsequence(NAMES, 0..=NEED_FILE_MAX))
        .prop_map(|(lists, need_file)| Input { lists, need_file })
}

impl Input {
    /// The transcript that shows whether a target does what `model` says.
    pub fn transcript(&self, model: Model) -> String {
        let items: Vec<&'static str> = self.lists.items().collect();
        let there = |name: &str| NAMES.contains(&name).then(|| self.need_file.contains(&name));
        let loaded = model(&items, &there);
        let title = match &loaded {
            Ok(loaded) if loaded.order.is_empty() => "Of this list no plugin is left".to_string(),
            Ok(loaded) => format!(
                "This list amounts to {}, {} temporary file",
                enumerated(&loaded.order),
                if loaded.need_file { "with a" } else { "without a" }
            ),
            Err(name) => format!("The start ends at the plugin `{}`, which is not there", name.0),
        };
        let mut front = front(&self.lists, title, &["PLUG-LIST-3", "PLUG-LIST-9"]);
        front.needs.push("c-modules".into());
        // No more modules than the list mentions, so that a reader has less to look at.
        let named: Vec<&str> = NAMES.iter().copied().filter(|name| mentions(&items, name)).collect();
        front.modules = named.iter().map(|name| format!("plugin-{name}")).collect();
        front.files.insert("probe".into(), self.script(&named));
        let (dialogue, status) = match &loaded {
            Ok(loaded) => (session(loaded), 0),
            Err(name) => (Dialogue::not_loaded(name), 1),
        };
        dialogue.under(&front, status)
    }

    /// What the probes do: see `conformance/probe/README.md`.
    fn script(&self, named: &[&str]) -> String {
        let mut script = String::from("* init getenv init\n* recipient answer 250\n* data_start file\n");
        for name in named {
            if self.need_file.contains(name) {
                script.push_str(&format!("{name} need-file\n"));
            }
            script.push_str(&format!("{name} sender append \"/{name}\"; answer 250\n"));
        }
        script
    }
}

/// Whether an item loads or could load the plugin `name`.
fn mentions(items: &[&str], name: &str) -> bool {
    items.iter().any(|item| *item == name || item.strip_prefix('+') == Some(name))
}

fn session(loaded: &Loaded) -> Dialogue {
    let mut dialogue = Dialogue::greeted();
    for name in &loaded.order {
        dialogue.logged(&format!("probe {name} getenv init -"));
    }
    dialogue.commanded("MAIL FROM:<s>");
    if loaded.order.is_empty() {
        dialogue.refused("550 5.1.0 ~Mail system is not configured to accept that sender");
    } else {
        dialogue.answered(&format!("250 Sender='s/{}'.", loaded.order.join("/")));
        dialogue.commanded("RCPT TO:<r>");
        dialogue.answered("250 Recipient='r'.");
        dialogue.sent("DATA");
        dialogue.answered("354 ~~");
        for name in &loaded.order {
            let file = if loaded.need_file { "0 \"\"" } else { "none" };
            dialogue.logged(&format!("probe {name} file {file}"));
        }
        // An empty message: the backend has nothing to log.
        dialogue.sent(".");
        dialogue.answered("250 Received 0 bytes.");
    }
    dialogue.ended();
    dialogue
}
