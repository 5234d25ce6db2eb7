//! A small SMTP server that is honest but for one fault, named by its first argument.
//!
//! It captures messages like the queuedir backend, so that a fault can be in what is kept, said,
//! logged or left behind.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    process::{self, Command, Stdio},
};

fn main() -> io::Result<()> {
    let fault = env::args().nth(1).unwrap_or_default();
    let liar = Liar { fault, envelope: Vec::new(), sender: None };
    liar.serve()
}

struct Liar {
    fault: String,
    sender: Option<Vec<u8>>,
    envelope: Vec<u8>,
}

impl Liar {
    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn serve(mut self) -> io::Result<()> {
        if self.is("never-reads") {
            loop {
                std::thread::park();
            }
        }
        if self.is("has-a-grandchild") {
            // Its parent is gone, which this program has waited for, before it ends itself.
            Command::new("sh").args(["-c", "sleep 0.01 &"]).stdin(Stdio::null()).output()?;
        }
        self.say(b"220 local.host liar ESMTP\r\n")?;
        let mut input = self.input();
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if self.is("answers-nothing") {
                continue;
            }
            if self.is("always-250") {
                self.say(b"250 ok\r\n")?;
                continue;
            }
            let verb: Vec<u8> = line.iter().take(4).map(u8::to_ascii_uppercase).collect();
            if !self.is("logs-nothing") {
                eprintln!("liar[{}]: {}", process::id(), String::from_utf8_lossy(&verb));
            }
            match &verb[..] {
                b"MAIL" => {
                    self.sender = Some(address(&line));
                    self.envelope.clear();
                    self.say(b"250 2.1.0 Sender accepted.\r\n")?;
                }
                b"RCPT" => {
                    self.envelope.extend_from_slice(&address(&line));
                    self.envelope.push(0);
                    self.say(b"250 2.1.5 Recipient accepted.\r\n")?;
                }
                b"DATA" => {
                    self.say(b"354 Go on.\r\n")?;
                    self.data(&mut input)?;
                    if self.is("loses-pipelined-input") {
                        input = self.input();
                    }
                }
                b"QUIT" => {
                    self.say(if self.is("other-words") {
                        b"221 2.0.0 Tschau.\r\n"
                    } else {
                        b"221 2.0.0 Good bye.\r\n"
                    })?;
                    return self.end();
                }
                b"STAR" if self.is("goes-on-in-the-clear") => self.say(b"220 2.0.0 Ready.\r\n")?,
                // A TLS alert, as if what came were no handshake.
                b"STAR" if self.is("refuses-every-handshake") => {
                    self.say(b"220 2.0.0 Ready.\r\n\x15\x03\x03\x00\x02\x02\x28")?;
                    return self.end();
                }
                _ => self.say(b"500 5.5.1 Not implemented.\r\n")?,
            }
        }
        self.end()
    }

    /// Standard input; the faulty ones take a read for a line, or throw away what came with another.
    fn input(&self) -> Box<dyn BufRead> {
        if self.is("takes-a-read-for-a-line") {
            Box::new(Pieces::default())
        } else {
            Box::new(BufReader::new(io::stdin()))
        }
    }

    fn data(&mut self, input: &mut Box<dyn BufRead>) -> io::Result<()> {
        let mut message = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line == b".\r\n" || (self.is("ends-at-a-bare-lf") && line == b".\n") {
                break;
            }
            let text = line.strip_suffix(b"\r\n").unwrap_or(&line);
            let text = if self.is("keeps-dots") { text } else { text.strip_prefix(b".").unwrap_or(text) };
            message.extend_from_slice(text);
            message.push(b'\n');
        }
        if self.is("drops-the-last-byte") {
            message.pop();
        }
        if !self.is("acknowledges-and-loses") {
            self.keep(&message, 1)?;
        }
        if self.is("keeps-twice") {
            self.keep(&message, 2)?;
        }
        self.say(b"250 2.6.0 Message accepted.\r\n")
    }

    fn keep(&self, message: &[u8], number: usize) -> io::Result<()> {
        let queue = env::var("QUEUEDIR").unwrap_or_default();
        let mut file = self.sender.clone().unwrap_or_default();
        file.push(0);
        file.extend_from_slice(&self.envelope);
        file.push(0);
        if self.is("adds-trace") {
            file.extend_from_slice(b"Received: by x\n more\n");
        }
        file.extend_from_slice(message);
        if self.is("delivers-late") {
            // As a server does that delivers by itself: the client has its answer by then.
            let write =
                format!("sleep 0.2; cat >{queue}/tmp/{number}; mv {queue}/tmp/{number} {queue}/new/{number}");
            let mut child = Command::new("sh")
                .args(["-c", &write])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()?;
            return child.stdin.take().map_or(Ok(()), |mut input| input.write_all(&file));
        }
        fs::write(format!("{queue}/new/{number}"), file)
    }

    fn say(&self, line: &[u8]) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(line)?;
        if self.is("says-it-twice") && line.starts_with(b"221") {
            out.write_all(line)?;
        }
        out.flush()
    }

    fn end(&self) -> io::Result<()> {
        match self.fault.as_str() {
            "crashes-at-the-end" => process::abort(),
            "wrong-status" => process::exit(3),
            "leaves-a-child" => {
                Command::new("sleep").arg("5").stdin(Stdio::null()).spawn()?;
            }
            "forgets-a-child" => {
                // It has ended when its output has.
                let child = Command::new("true").stdout(Stdio::piped()).spawn()?;
                child.stdout.map(|mut output| output.read_to_end(&mut Vec::new())).transpose()?;
            }
            "leaves-a-file" => fs::write(format!("{}/left", env::var("TMPDIR").unwrap_or_default()), "x")?,
            "fails-the-first-time" => {
                let mark = env::args().nth(2).unwrap_or_default();
                if fs::create_dir(mark).is_ok() {
                    process::exit(3);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The text between `<` and `>`.
fn address(line: &[u8]) -> Vec<u8> {
    let from = line.iter().position(|b| *b == b'<').map_or(line.len(), |at| at + 1);
    line[from..].iter().copied().take_while(|b| *b != b'>').collect()
}

/// Standard input in which every read ends a line.
#[derive(Default)]
struct Pieces {
    piece: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.piece.len() {
            let mut buffer = [0; 4096];
            let n = io::stdin().lock().read(&mut buffer)?;
            self.piece = buffer[..n].to_vec();
            if n > 0 && !self.piece.ends_with(b"\n") {
                self.piece.push(b'\n');
            }
            self.at = 0;
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}
