//! DNS questions and answers (RFC 1035): the names of lists, TXT and A records (RBL-5 … 10, -16).
//!
//! Packets are hickory's to read and write; this says which packet is an answer to which question and
//! what of it counts.

use std::net::{IpAddr, Ipv4Addr};

use bstr::{BString, ByteSlice};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, RData, RecordType},
};

/// What is asked about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its texts.
    Text,
    /// Its IPv4 addresses.
    Address,
}

/// A question, as it is sent and as its answer must repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    id: u16,
    name: Name,
    kind: Kind,
}

/// What a server says of a name. Nothing at all, if the name does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The strings of each TXT record, joined (RBL-7).
    pub texts: Vec<BString>,
    /// The address of each A record.
    pub addresses: Vec<Ipv4Addr>,
}

/// What a packet is to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// No answer to it, or not readable: to be ignored (RBL-16).
    Foreign,
    /// An answer that was cut: to be asked for again over TCP.
    Truncated,
    /// The server does not know and will not say.
    Failed,
    /// The answer.
    Answer(Answer),
}

impl Question {
    /// A question about `name`, labels separated by dots, with a dot at its end or not; `None` if no
    /// name can be so: a label of 0 or more than 63 bytes, more than 255 in all (RBL-5, -12).
    pub fn new(id: u16, name: &[u8], kind: Kind) -> Option<Self> {
        // Longer ones are too long whatever is in them.
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.is_empty() || name.len() > 255 {
            return None;
        }
        Some(Self { id, name: Name::from_labels(name.split_str(".")).ok()?, kind })
    }

    /// The packet, at most 512 bytes, recursion desired (RBL-5).
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.name.clone(), self.record_type()));
        message.to_vec().ok()
    }

    /// What `packet` is to this question. Any record of the right type in the answer counts, also
    /// behind an alias (RBL-6).
    pub fn read(&self, packet: &[u8]) -> Packet {
        let Ok(message) = Message::from_vec(packet) else { return Packet::Foreign };
        let head = &message.metadata;
        let is_ours = head.message_type == MessageType::Response && head.id == self.id;
        if !is_ours || !matches!(&message.queries[..], [question] if self.is_repeated(question)) {
            return Packet::Foreign;
        }
        match head.response_code {
            ResponseCode::NXDomain => Packet::Answer(Answer::default()),
            _ if head.truncation => Packet::Truncated,
            ResponseCode::NoError => Packet::Answer(self.collect(&message)),
            _ => Packet::Failed,
        }
    }

    fn collect(&self, message: &Message) -> Answer {
        let mut answer = Answer::default();
        for record in message.answers.iter().filter(|record| record.dns_class == DNSClass::IN) {
            match (&record.data, self.kind) {
                (RData::TXT(text), Kind::Text) => answer.texts.push(text.txt_data.concat().into()),
                (RData::A(address), Kind::Address) => answer.addresses.push(address.0),
                _ => {}
            }
        }
        answer
    }

    fn is_repeated(&self, question: &Query) -> bool {
        question.query_class() == DNSClass::IN
            && question.query_type() == self.record_type()
            && question.name() == &self.name
    }

    fn record_type(&self) -> RecordType {
        match self.kind {
            Kind::Text => RecordType::TXT,
            Kind::Address => RecordType::A,
        }
    }
}

/// The name under which a list keeps an address: its bytes, for IPv6 its nibbles, backwards, and the
/// list (RBL-5, -27; RFC 5782 2.1, 2.4). The empty list is the address alone.
pub fn listed_name(address: IpAddr, list: &[u8]) -> BString {
    let backwards: String = match address {
        IpAddr::V4(address) => address.octets().iter().rev().map(|byte| format!("{byte}.")).collect(),
        IpAddr::V6(address) => {
            address.octets().iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4)).collect()
        }
    };
    let mut name = BString::from(backwards);
    name.extend_from_slice(list);
    if list.is_empty() {
        name.pop();
    }
    name
}

#[cfg(test)]
mod tests;
