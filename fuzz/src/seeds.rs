//! Seeds made from the transcripts: what their clients send is what the codecs read.

use bstr::ByteSlice as _;

use crate::{queues, services};
use mailfront::wire::base64;
use mailfront_conformance::{
    cases::Cases,
    sandbox::certificates,
    transcript::{Act, Case, Item, Step, front::Protocol, print, script, service::Line, text::Variables},
};

/// Longest seed, in bytes: the engine prefers short ones.
const SEED_MAX: usize = 4096;

/// The seeds of one target.
pub fn of(target: &str, cases: &Cases) -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = cases
        .cases
        .iter()
        .flat_map(|case| match target {
            "command_line" => lines(case),
            "address" => lines(case).into_iter().filter_map(|line| argument(&line)).collect(),
            "data" => sent(case).iter().flat_map(|data| framed(data)).collect(),
            "glob" => files(case, "mailrules/").iter().flat_map(|file| globs(file)).collect(),
            "mailrules" => files(case, "mailrules/"),
            "mailrulesx" => files(case, "mailrulesx/"),
            "plugin_list" => case.front.words().into_iter().skip(3).map(String::into_bytes).collect(),
            "cdb" => lines(case).iter().map(|line| [b"\x03", &line[..]].concat()).collect(),
            "base64" => lines(case)
                .iter()
                .filter_map(|line| line.rsplit(|b| *b == b' ').next().map(<[u8]>::to_vec))
                .collect(),
            "cvm_request" => accounts(case),
            "cvm_response" => answers(case),
            "sasl" => lines(case).iter().flat_map(|line| responses(line)).collect(),
            "imap" if case.id.contains("/imap-") => vec![everything(case)],
            "log_in_session" if case.id.contains("/imap-") => vec![[b"\x01", &everything(case)[..]].concat()],
            "log_in_session" if case.id.contains("/pop3-auth") => {
                vec![[b"\0", &everything(case)[..]].concat()]
            }
            "maildir_name" => names(case),
            "maildir_session" if case.id.contains("pop3") => {
                let message =
                    case.front.maildir.iter().flatten().map(|(_, content)| content.as_bytes()).next();
                let message = message.unwrap_or_default();
                vec![[b"\0", message, b"\xff", &everything(case)[..]].concat()]
            }
            "pop3" if case.id.contains("pop3") => lines(case).into_iter().chain(messages(case)).collect(),
            "tls_priority" => {
                case.front.env.get("TLS_PRIORITY").map(|text| text.clone().into()).into_iter().collect()
            }
            "tls_files" => tls_files(case),
            "netstring" => packages(case).iter().map(|bytes| [b"\x02", &bytes[..]].concat()).collect(),
            "qmqp_package" if case.front.protocol() == Some(Protocol::Qmqp) => packages(case),
            "qmtp_package" if case.front.protocol() == Some(Protocol::Qmtp) => packages(case),
            "recipient_list" => packages(case).iter().filter_map(|bytes| list(bytes)).collect(),
            "session" => conversation(case),
            "patterns" => {
                let with =
                    |data: Vec<u8>, file: &String| [b"\xff\x03", file.as_bytes(), b"\n\n", &data].concat();
                let file = case.front.files.get("pats").into_iter();
                file.flat_map(|file| sent(case).into_iter().map(move |data| with(data, file))).collect()
            }
            "hops" => sent(case).iter().map(|data| [b"\x03", &data[..]].concat()).collect(),
            "size" => lines(case)
                .into_iter()
                .filter_map(|line| argument(&line))
                .map(|a| a.replace(" ", "\0"))
                .collect(),
            "transcript" => vec![print(case).into_bytes()],
            _ => Vec::new(),
        })
        .chain(services::seeds(target))
        .chain(queues::seeds(target))
        .filter(|seed| seed.len() <= SEED_MAX)
        .collect();
    seeds.sort();
    seeds.dedup();
    seeds
}

/// The rules files of a case of this area.
fn files(case: &Case, area: &str) -> Vec<Vec<u8>> {
    let here = case.id.strip_prefix("mailfront/").is_some_and(|id| id.starts_with(area));
    let files = case.front.files.iter().filter(|(name, _)| here && name.as_str() == "rules");
    files.map(|(_, content)| content.clone().into_bytes()).collect()
}

/// Each first field of a rules file as a pattern, with a text to hold against it.
fn globs(file: &[u8]) -> Vec<Vec<u8>> {
    let lines = file.split(|byte| *byte == b'\n').filter(|line| line.len() > 1);
    lines
        .map(|line| {
            [&[128], line.split(|byte| *byte == b':').next().unwrap_or_default(), b"a@x.example"].concat()
        })
        .collect()
}

/// Message data with each choice of framing in front.
fn framed(data: &[u8]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|framing| [&[framing, 3], data].concat())
}

/// The kept files of TLS that a case names, alone and as certificate and key.
fn tls_files(case: &Case) -> Vec<Vec<u8>> {
    let named = |name: &str| case.front.env.values().any(|value| value.contains(&format!("${{{name}}}")));
    let files = certificates::FILES.iter().filter(|(name, _)| named(name));
    let kept = files.filter_map(|(_, file)| certificates::kept(file)).map(|text| text.as_bytes().to_vec());
    kept.flat_map(|file| [[&file[..], b"\xff", &file[..]].concat(), file]).collect()
}

/// The steps of a case, those of a repetition once: what is said ten thousand times is one seed.
fn steps(case: &Case) -> Vec<Step> {
    let mut steps = Vec::new();
    for item in &case.body {
        match item {
            Item::Step(step) => steps.push(step.clone()),
            Item::Repeat { body, .. } => steps.extend(body.iter().filter_map(|item| match item {
                Item::Step(step) => Some(script::turned(step, 1)),
                _ => None,
            })),
            _ => {}
        }
    }
    steps
}

/// The command lines a case sends.
fn lines(case: &Case) -> Vec<Vec<u8>> {
    let steps = steps(case).into_iter();
    steps
        .filter_map(|step| match step.act {
            Act::Send(text) => Some(text.expand(&Variables::new())),
            _ => None,
        })
        .filter(|line| line.len() <= SEED_MAX)
        .collect()
}

/// What follows MAIL or RCPT.
fn argument(line: &[u8]) -> Option<Vec<u8>> {
    let verb = line.get(..5)?.to_ascii_uppercase();
    matches!(&verb[..], b"MAIL " | b"RCPT ").then(|| line[5..].to_vec())
}

/// All that a case in a netstring protocol sends.
fn packages(case: &Case) -> Vec<Vec<u8>> {
    match case.front.protocol() {
        Some(Protocol::Qmtp | Protocol::Qmqp) => vec![everything(case)],
        _ => Vec::new(),
    }
}

/// The last netstring of a QMTP package, more or less: what is behind the sender's comma.
fn list(package: &[u8]) -> Option<Vec<u8>> {
    let inner = package.strip_suffix(b",")?;
    let start = inner.windows(2).rposition(|pair| pair[0] == b',' && pair[1].is_ascii_digit())?;
    let colon = inner[start..].iter().position(|byte| *byte == b':')?;
    Some([b"\x02\xff", &inner[start + colon + 1..]].concat())
}

/// All that a case sends, behind the byte that chooses its protocol.
fn conversation(case: &Case) -> Vec<Vec<u8>> {
    let choice = match case.front.protocol() {
        Some(Protocol::Smtp) => 0,
        Some(Protocol::Qmtp) => 1,
        Some(Protocol::Qmqp) => 2,
        None => return Vec::new(),
    };
    vec![[&[choice], &everything(case)[..]].concat()]
}

/// Everything a case sends behind its DATA line.
fn sent(case: &Case) -> Vec<Vec<u8>> {
    let all = everything(case);
    let start = all.windows(6).position(|w| w.eq_ignore_ascii_case(b"DATA\r\n"));
    start.map(|at| all[at + 6..].to_vec()).into_iter().collect()
}

/// What a client says in an exchange of SASL, as responses to each mechanism.
fn responses(line: &[u8]) -> Vec<Vec<u8>> {
    let word = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let Ok(message) = base64::decode(word) else { return Vec::new() };
    (0..8).map(|choice| [&[choice], &message[..], b"\n", &message].concat()).collect()
}

/// The credentials in the messages of PLAIN.
fn accounts(case: &Case) -> Vec<Vec<u8>> {
    let messages = lines(case)
        .into_iter()
        .filter_map(|line| base64::decode(line.rsplit(|byte| *byte == b' ').next().unwrap_or_default()).ok());
    let request = |message: Vec<u8>| {
        let mut seed = vec![2, b'r', b'r'];
        for (kind, value) in message.split(|byte| *byte == 0).enumerate() {
            let [.., high, low] = value.len().to_be_bytes();
            seed.extend([u8::try_from(kind).unwrap_or_default(), high, low]);
            seed.extend(value);
        }
        seed
    };
    messages.map(request).collect()
}

/// What the credential modules of a case answer.
fn answers(case: &Case) -> Vec<Vec<u8>> {
    let scripts = case.front.services.values().filter_map(|service| service.blocks().ok());
    let lines = scripts.flatten().flatten();
    let cookie = Variables::from([("COOKIE".to_string(), b"rrrrrrrr".to_vec())]);
    lines
        .filter_map(|line| match line {
            Line::Say(text) => Some([b"\0", &text.expand(&cookie)[..]].concat()),
            Line::Cvm(reply) => {
                let mut seed = vec![1, b'r', reply.code, 1, b'r'];
                for (kind, value) in &reply.facts {
                    let value = value.expand(&cookie);
                    seed.extend([*kind, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
                    seed.extend(value);
                }
                seed.push(0);
                Some(seed)
            }
            _ => None,
        })
        .collect()
}

/// Everything a case sends.
fn everything(case: &Case) -> Vec<u8> {
    let steps = steps(case).into_iter();
    steps
        .flat_map(|step| match step.act {
            Act::Send(text) => [text.expand(&Variables::new()), b"\r\n".to_vec()].concat(),
            Act::SendRaw(text) => text.expand(&Variables::new()),
            _ => Vec::new(),
        })
        .collect()
}

/// The names of the messages of a case.
fn names(case: &Case) -> Vec<Vec<u8>> {
    let paths = case.front.maildir.iter().flatten().map(|(path, _)| path.rsplit('/').next());
    let names: Vec<&str> = paths.flatten().collect();
    if names.is_empty() { Vec::new() } else { vec![names.join("\n").into_bytes()] }
}

/// Its messages, each with choices of lines and cuts in front.
fn messages(case: &Case) -> Vec<Vec<u8>> {
    let contents = case.front.maildir.iter().flatten().map(|(_, content)| content.as_bytes());
    contents.flat_map(|content| [[0, 3], [129, 0]].map(|choice| [&choice, content].concat())).collect()
}
